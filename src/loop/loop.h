/* SPDX-License-Identifier: MIT
 *
 * loop: one turn after the other on one thread: wait for events, handle them, fire timers, run what was posted, free what
 * died. What a loop runs is posted to it as tasks, from any thread.
 */
#ifndef FY_LOOP_LOOP_H
#define FY_LOOP_LOOP_H

#include "base/list.h"
#include "base/mailbox.h"
#include "loop/blocks.h"
#include "loop/pipe.h"
#include "loop/timer.h"
#include "poll/poll.h"

#include <ferry/loop.h>
#include <stdatomic.h>

/* Something to run on a loop; part of its owner, which must keep it until it runs. */
struct fy_task {
    struct fy_letter letter;
    void (*run)(struct fy_task *);
};

struct fy_workers;
struct fy_cos;
struct ferry_conn;

struct ferry_loop {
    /* any thread */
    struct fy_mailbox mail;
    atomic_bool asleep; /* about to wait, or waiting: who sets it to false has to ring */
    atomic_uint stops;  /* calls of ferry_pool_stop() so far */
    atomic_uint_fast64_t wakeups, posts, dropped;

    /* what it is at, for the watchdog; stored by the loop, loaded by any thread */
    atomic_uint_fast64_t step;      /* counts what it does, so that one long step can be told from many short ones */
    _Atomic(const char *) doing;    /* "on_data", "timer"... ; NULL = it waits */
    _Atomic(const char *) name;     /* a coroutine's, or NULL */
    _Atomic(const void *) function; /* the user's */
    atomic_uint_fast64_t stalls;

    /* set once, before the loop runs */
    ferry_pool *pool;
    struct fy_workers *workers;
    unsigned index;

    /* the loop's thread */
    struct fy_poll *poll;
    struct fy_source bell; /* an eventfd; never read: each ring is an edge */
    struct fy_timers timers;
    struct fy_letter *idle_timers; /* after.c's */
    unsigned idle_timer_count;
    uint64_t now;                           /* fy_now_ns() at the start of this turn */
    struct fy_list conns;                   /* ferry_conn.link */
    struct fy_list dead;                    /* ferry_conn.link of those to let go when the turn is over */
    void (*bury)(struct fy_list *dead);     /* lets go of one of them */
    struct fy_cos *cos;                     /* its coroutines: co/co.h */
    void (*hold_back)(struct ferry_conn *); /* what a send does above the high-water mark; set while somebody who may
                                               wait runs on the loop */
    bool cut, abandoned;                    /* stopping: the grace time is over; what did not end then is left behind */
    atomic_bool stopping;                   /* connections with nothing under way close */
    struct fy_blocks blocks;
    struct fy_pipes pipes;
    uint64_t cut_at; /* when the grace time of stopping is over */
    ferry_loop_counters counters;
};

int fy_loop_init(ferry_loop *loop, const struct fy_backend *backend);
void fy_loop_fini(ferry_loop *loop); /* nothing may be open or posted any more */

/* One turn; waits at most `timeout_ns`, -1 = until something happens. 0 or -errno. */
int fy_loop_turn(ferry_loop *loop, int64_t timeout_ns);

/* The loop turns no more, or not before its descriptor is readable: no request of it may wait for the next turn. */
void fy_loop_flush(ferry_loop *loop);

/* The end of a turn, which is also what is left to do for a loop that runs no more: runs what is posted, and buries the
 * dead. */
void fy_loop_settle(ferry_loop *loop);

/* For a loop that runs no more: what it still had for the kernel, and what comes of it. */
void fy_loop_finish(ferry_loop *loop);

/* Any thread: runs the task on the loop's thread, in a turn to come or at the end of this one. */
void fy_loop_post(ferry_loop *loop, struct fy_task *task);

/* The same in two steps, for who holds a lock that the loop will want first of all: true = it has to be rung. It must not
 * have ended by then. */
bool fy_loop_put(ferry_loop *loop, struct fy_task *task);
void fy_loop_ring(ferry_loop *loop);

/* The loop's thread is about to call the user's function. */
static inline void fy_loop_does(ferry_loop *loop, const char *doing, const char *name, const void *function)
{
    atomic_store_explicit(&loop->doing, doing, memory_order_relaxed);
    atomic_store_explicit(&loop->name, name, memory_order_relaxed);
    atomic_store_explicit(&loop->function, function, memory_order_relaxed);
    atomic_store_explicit(&loop->step, atomic_load_explicit(&loop->step, memory_order_relaxed) + 1,
                          memory_order_release);
}

/* The loop whose turn runs on this thread, or NULL. Looked up several times a message: initial-exec makes that one
 * instruction in a shared library, too. */
extern _Thread_local ferry_loop *fy_loop_current __attribute__((tls_model("initial-exec")));

static inline bool fy_loop_here(const ferry_loop *loop)
{
    return fy_loop_current == loop;
}

/* Frees the user's timers that have not fired. */
void fy_after_fini(ferry_loop *loop);

/* Nanoseconds until something is due; 0 = now, -1 = nothing. */
int64_t fy_loop_idle_ns(const ferry_loop *loop);

#endif
