/* SPDX-License-Identifier: MIT
 *
 * The other end of a connection: blocking plain sockets, written against the kernel alone, polite and rude.
 *
 * Calls that cannot fail on a healthy connection fail the case when they do. A call that lasts longer than the patience
 * of a case fails, too.
 */
#ifndef FERRY_TEST_PEER_H
#define FERRY_TEST_PEER_H

#include "pattern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The smallest window that a test shuts: set before connecting, so that it is the window from the first byte on. */
#define PEER_TINY_WINDOW 4096

struct peer_options {
    int receive_buffer; /* SO_RCVBUF; 0 = the kernel's */
    int send_buffer;    /* SO_SNDBUF; 0 = the kernel's */
    const char *from;   /* the local IPv4 address; NULL = the kernel's choice */
};

/* Connects to an address as ferry_listener_address() gives it. Returns the descriptor. */
int peer_connect(const char *address);
int peer_connect_with(const char *address, const struct peer_options *options);

/* The two steps by themselves, where the descriptor must exist earlier. peer_join() returns 0 or -errno. */
int peer_socket(const char *address, const struct peer_options *options);
int peer_join(int fd, const char *address);

/* A plain listening socket on 127.0.0.1; its address goes to `address`. A `backlog` of -1 binds without listening, so
 * that the port refuses connections and yet nobody else can have it. */
int peer_listen(char *address, size_t cap, int backlog);
int peer_accept(int listener);

/* The port of the near end, to tell a connection by. */
unsigned peer_port(int fd);

/* The descriptor, of ferry's side in this process, that is connected to that port; -1 if there is none. */
int peer_other_end(unsigned port);

/* Writes all of it. */
void peer_write(int fd, const void *data, size_t len);
void peer_write_pattern(int fd, struct pattern *pattern, size_t len);
/* In pieces of random length, at most `most` bytes each; `most` = 1 is a byte at a time. */
void peer_write_pieces(int fd, struct pattern *pattern, size_t len, size_t most);

/* Reads exactly `len` bytes. */
void peer_read(int fd, void *data, size_t len);
void peer_read_pattern(int fd, struct pattern *pattern, uint64_t len);

/* Reads until the end, checking each byte when `pattern` is given, and counting them when `total` is. Returns 0 for an
 * end of file, else the errno that ended it. */
int peer_read_to_end(int fd, struct pattern *pattern, uint64_t *total);

/* The next thing to come must be the end of file, and no byte. */
void peer_expect_eof(int fd);

/* Whether a byte, or the end, is there to be read without waiting. */
bool peer_readable(int fd);

/* FIN; RST; and FIN both ways. */
void peer_half_close(int fd);
void peer_reset(int fd);
void peer_close(int fd);

#endif
