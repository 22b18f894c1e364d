/* SPDX-License-Identifier: MIT
 *
 * floors: the least that the kernel asks for each kind of work: no buffering, no errors but fatal ones, no second thought.
 * They are what the ratios are taken to, and no servers for use.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stdint.h>

/* A listening socket on a free port of 127.0.0.1, whose address is on stdout when this returns. */
int floor_listen(void);

/* Accepts for ever, and has epoll watch each connection for `events`. The sockets are blocking, so that a send that does
 * not fit waits. `opened` may be NULL. */
void floor_run(uint32_t events, void (*opened)(int fd), void (*ready)(int fd, uint32_t events));

/* Has epoll watch a connection for other events. */
void floor_watch(int fd, uint32_t events);

#endif
