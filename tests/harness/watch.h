/* SPDX-License-Identifier: MIT
 *
 * A service that watches another: it stands between ferry and a test's callbacks, and checks at each call what is
 * promised of every connection.
 *
 *   - on_open comes first and on_close last, each once; a ferry_connect() that fails has on_close alone;
 *   - no callback runs inside a call of ferry, inside another of the same connection, or off the connection's loop;
 *   - on_eof comes at most once, and on_data not after it; on_data is never given nothing;
 *   - on_high_water and on_low_water take turns, each with a size beyond its mark;
 *   - in the coroutine style, each connection has one coroutine, which begins before on_close and ends;
 *   - in on_close there is a verdict, and ferry_conn_error() agrees with the reason.
 */
#ifndef FERRY_TEST_WATCH_H
#define FERRY_TEST_WATCH_H

#include "wait.h"

#include <ferry/ferry.h>
#include <pthread.h>

enum { WATCH_BUCKETS = 256 };

struct watch {
    ferry_service user;    /* the test's: its callbacks are called in turn */
    ferry_service service; /* what ferry is given */
    bool dials;            /* on_close without on_open is in order */
    bool keep;             /* a reference to each connection is kept, for watch_conn() */
    struct count opened, closed, failed, data, eofs, drains, highs, lows;
    struct count served; /* coroutines that have returned from `serve` */

    pthread_mutex_t lock; /* for what follows */
    struct seen *table[WATCH_BUCKETS];
    ferry_conn **kept;
    size_t kept_count;
    int last_reason; /* of the latest on_close */
    ferry_stats last_stats;
};

void watch_init(struct watch *watch, const ferry_service *user);

/* Call it when the pool is freed: checks that all that was opened was closed. */
void watch_fini(struct watch *watch);

/* Waits for the index-th connection to open and returns it; it stays valid until watch_fini(). `keep` must be set. */
ferry_conn *watch_conn(struct watch *watch, size_t index);

/* Waits for the index-th close, and returns its reason, and in `stats`, unless NULL, its statistics. Meant for cases
 * where one connection closes at a time. */
int watch_reason(struct watch *watch, size_t index, ferry_stats *stats);

#endif
