/* SPDX-License-Identifier: MIT
 *
 * How much of one connection's work is with other threads: its loop takes work on, they land it. Reading waits for room,
 * the last word until there is none. As long as there is some, the connection is busy: ferry_pool_stop() waits for it.
 * All that is told under one lock, so that what one thread says last is also what was true last.
 */
#ifndef IN_FLIGHT_H
#define IN_FLIGHT_H

#include <ferry/ferry.h>
#include <pthread.h>

typedef struct in_flight {
    ferry_conn *conn; /* whoever has work of it holds a reference */
    unsigned long limit;
    pthread_mutex_t lock;
    unsigned long count;
    bool room_wanted, end_wanted;
} in_flight;

typedef enum in_flight_news { IN_FLIGHT_NO_NEWS, IN_FLIGHT_ROOM, IN_FLIGHT_END } in_flight_news;

void in_flight_init(in_flight *f, ferry_conn *conn, unsigned long limit);
void in_flight_fini(in_flight *f);

/* One more. Thread: loop. */
void in_flight_take(in_flight *f);

/* One less; and whether that is what one of the two below has waited for. Each is told once. Thread: any. */
in_flight_news in_flight_land(in_flight *f);

/* Whether there is room for one more. If not, that is news when half of the limit is free. Thread: loop. */
bool in_flight_has_room(in_flight *f);

/* Whether there is none, and no more will be taken. If not, that is news when it is so. Thread: loop. */
bool in_flight_has_ended(in_flight *f);

#endif
