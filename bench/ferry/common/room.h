/* SPDX-License-Identifier: MIT
 *
 * bench: the connections of one loop, in any order, for the broadcasts. Each connection's context is its place.
 */
#ifndef BENCH_ROOM_H
#define BENCH_ROOM_H

#include <ferry/ferry.h>

void room_enter(ferry_conn *conn);
void room_leave(ferry_conn *conn);

/* To all that are in it: one copy, however many. */
void room_say(const void *data, size_t len);

#endif
