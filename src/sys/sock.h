/* SPDX-License-Identifier: MIT
 *
 * sys: sockets made ready: listening, connecting, and with their options set.
 */
#ifndef FY_SYS_SOCK_H
#define FY_SYS_SOCK_H

#include "sys/addr.h"

#include <ferry/server.h>
#include <stdbool.h>

/* A listening socket, or -errno. A Unix socket file that nobody listens on is replaced. */
int fy_sock_listen(const struct fy_addr *addr, const ferry_socket_options *options);

/* A socket that is connecting (or connected), or -errno. */
int fy_sock_connect(const struct fy_sockaddr *to, const ferry_socket_options *options);

/* Sets the options of a connection's socket. They are hints: what the kernel refuses is left as it is. */
void fy_sock_options(int fd, const ferry_socket_options *options);

/* Whether it is connected to a socket of this machine: both ends have the same address, or it is a Unix socket. A
 * hint; true also when the kernel does not say. */
bool fy_sock_is_local(int fd);

/* Whether it is connected to itself. Who connects to a port of this machine that nobody listens on may be given that very port
 * as his own, and then meets himself (RFC 9293, 3.5: both ends open at once). */
bool fy_sock_is_itself(int fd);

/* -EINVAL for a negative size, or a name the kernel does not have. */
int fy_sock_check(const ferry_socket_options *options);

#endif
