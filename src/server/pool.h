/* SPDX-License-Identifier: MIT
 *
 * server: a pool as its listeners and dialers see it.
 */
#ifndef FY_SERVER_POOL_H
#define FY_SERVER_POOL_H

#include "co/co.h"
#include "conn/conn.h"
#include "loop/worker.h"
#include "poll/choose.h"

#include <ferry/server.h>

struct ferry_pool {
    struct fy_list link; /* in fy_pools */
    ferry_pool_options options;
    struct fy_choice backend;
    unsigned size;
    ferry_loop *loops;
    struct fy_workers *workers;
    struct fy_budget budget;
    pthread_mutex_t lock;     /* guards listeners; held shut while the threads are being started */
    struct fy_list listeners; /* ferry_listener.link */
    atomic_bool listening;    /* loop 0 may still hand connections to the others */
    atomic_bool running;
    bool started, abandoned;      /* ferry_pool_run() was called; it could not start its threads */
    atomic_int error;             /* why a loop failed; 0 = none has */
    atomic_uint cuts;             /* connections cut when the grace time was over */
    struct fy_watchdog *watchdog; /* NULL = off */
    unsigned long *threads;       /* of loops 1.. */
};

/* All pools of the process, for debuggers (tools/gdb/ferry.py). */
extern struct fy_list fy_pools;

/* listener.c */
void fy_listener_stop(ferry_listener *listener); /* loop 0's thread */
void fy_listener_free(ferry_listener *listener);
ferry_listener *fy_listener_of(struct fy_list *link);

/* watchdog.c: from when loop 0 begins to run until it ends. */
void fy_watchdog_start(ferry_pool *pool);
void fy_watchdog_stop(ferry_pool *pool);

/* signals.c: SIGINT and SIGTERM stop the pool. 0 or -EBUSY. */
int fy_signals_claim(ferry_pool *pool);
void fy_signals_release(ferry_pool *pool);

#endif
