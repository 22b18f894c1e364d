/* SPDX-License-Identifier: MIT
 *
 * Pools and loops: the threads that drive connections; posting work to them; timers.
 *
 * A pool owns its loops, one a thread. Loop 0 runs on the thread that calls ferry_pool_run(); the others on threads of
 * their own. Each connection belongs to one loop for life, and all its callbacks run on that loop's thread.
 */
#ifndef FERRY_LOOP_H
#define FERRY_LOOP_H

#include <ferry/error.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ferry_pool ferry_pool;
typedef struct ferry_loop ferry_loop;
typedef struct ferry_timer ferry_timer;

typedef enum ferry_backend { FERRY_BACKEND_AUTO, FERRY_BACKEND_EPOLL, FERRY_BACKEND_URING } ferry_backend;

/* `backend`, how the kernel is asked. AUTO: by io_uring, where it works and costs less, which is measured once in a
 * process; else by epoll. FERRY_BACKEND in the environment overrides: auto, epoll, uring. */
typedef struct ferry_pool_options {
    unsigned threads; /* loops, one a thread; 0 = one a core this process may run on */
    ferry_backend backend;
    bool handle_signals;  /* SIGINT and SIGTERM call ferry_pool_stop(); one pool of a process at a time */
    unsigned grace_ms;    /* how long ferry_pool_stop() lets transfers finish; 0 = 5000 */
    unsigned watchdog_ms; /* a callback or coroutine that holds its loop for longer is logged, while it does; 0 = off */
    size_t max_pending;   /* bytes of memory all connections together may have queued; 0 = no limit.
                              Beyond it a send is handled as one beyond its own connection's max_pending. */
} ferry_pool_options;

/* A new pool with its loops, none of them running yet.
 * Thread: any. Owns: the caller, until ferry_pool_free().
 * Fails: EINVAL (threads above 1024; a FERRY_BACKEND that is none), ENOTSUP (io_uring is not to be had here; a log line
 * says why), EBUSY (another pool handles signals), ENOMEM, EMFILE, ENFILE. */
FERRY_API ferry_pool *ferry_pool_new(const ferry_pool_options *options);

/* Runs loop 0 on the calling thread and the others on theirs, until ferry_pool_stop() and the drain that follows it.
 * Returns 0, or -errno when a thread could not be started (nothing ran then), or when the kernel failed a loop, which stops
 * the pool. Call it once. */
FERRY_API int ferry_pool_run(ferry_pool *pool);

/* Asks the pool to stop: listeners close at once, connections with nothing on its way close, and those with bytes still
 * to send (or whose on_drain sends more) may finish for grace_ms; then the rest is cut with -ECANCELED. A second call
 * cuts at once. Returns immediately. Thread: any; async-signal-safe. */
FERRY_API void ferry_pool_stop(ferry_pool *pool);

/* Frees a pool that is not running. What is still open is aborted, with its on_close; what was posted and has not run
 * runs now; work that a worker thread is at is waited for. References to its connections stay valid. NULL is allowed. */
FERRY_API void ferry_pool_free(ferry_pool *pool);

/* The loop with that index, or NULL. It lives as long as its pool. Thread: any. */
FERRY_API ferry_loop *ferry_pool_loop(ferry_pool *pool, unsigned index);

/* How many loops the pool has. Thread: any. */
FERRY_API unsigned ferry_pool_size(const ferry_pool *pool);

/* The backend in use: "io_uring", or "epoll"; where AUTO has come to that, it says why: "epoll (no io_uring: ...)". It
 * lives as long as the pool. Thread: any. */
FERRY_API const char *ferry_pool_backend(const ferry_pool *pool);

/* Runs fn(arg) once on the loop's thread, in the order of the posts of one thread; never inside this call.
 * Thread: any. Fails: never (when memory is out, a small reserve serves; when that is used up, too, another thread waits for it,
 * and the loop's own, which cannot, ends the process).
 * A pool that ends runs what is still posted, at the latest in ferry_pool_free(). */
FERRY_API void ferry_post(ferry_loop *loop, void (*fn)(void *), void *arg);

/* Runs fn(arg) on the loop's thread once, `ms` from now, never early. Timers that are due run in the order of their
 * time; those of the same time in the order they were made.
 * Thread: any. Owns: the timer frees itself when it has fired or was cancelled; do not use it after.
 * Fails: NULL with ENOMEM. */
FERRY_API ferry_timer *ferry_after(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg);

/* The same every `ms` (at least 1) until cancelled. A turn that comes late runs it once, and the beat is kept. */
FERRY_API ferry_timer *ferry_every(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg);

/* Cancels a timer that has not fired, or a periodic one; allowed inside its own callback. On the loop's thread it will
 * not run after this call; from another thread it may run once more, and a one-shot may only be cancelled from there
 * while the caller knows that it has not fired. NULL is allowed. Thread: any. */
FERRY_API void ferry_timer_cancel(ferry_timer *timer);

/* For embedding loop 0 of a one-loop pool in a foreign event loop, instead of ferry_pool_run(): poll this descriptor
 * for reading, at most for ferry_loop_timeout(), then call ferry_loop_turn(loop, 0). Returns it, or -errno. Thread: the
 * one that calls ferry_loop_turn(). */
FERRY_API int ferry_loop_fd(const ferry_loop *loop);

/* Milliseconds until the loop has something to do by itself: 0 = now, -1 = not before its descriptor is readable.
 * Thread: the one that calls ferry_loop_turn(). */
FERRY_API int ferry_loop_timeout(ferry_loop *loop);

/* One turn: waits at most `timeout_ms` (-1 = as long as it takes), then runs what is due. Returns 1, or 0 when the
 * pool was stopped and all is closed, or -errno. The calling thread is the loop's thread while it is inside. */
FERRY_API int ferry_loop_turn(ferry_loop *loop, int timeout_ms);

/* The loop whose callback the calling thread is inside, or NULL. Thread: any. */
FERRY_API ferry_loop *ferry_loop_current(void);

/* Nanoseconds of CLOCK_MONOTONIC, as read at the start of this turn. Thread: loop. */
FERRY_API uint64_t ferry_loop_now(const ferry_loop *loop);

typedef struct ferry_loop_counters {
    uint64_t turns;   /* times the loop looked for events */
    uint64_t events;  /* readiness events handled */
    uint64_t wakeups; /* times another thread had to wake it */
    uint64_t posts;   /* functions posted, ferry's own included */
    uint64_t timers;  /* timers that fired */
    uint64_t lag_ns;  /* how late the last timer that fired was: how long the loop was busy with other things */
    uint64_t lag_max_ns;
    uint64_t received; /* bytes, of all its connections so far */
    uint64_t written;  /* bytes handed to the kernel, the same */
    uint64_t cold;     /* file ranges that were not in memory and were read ahead on a worker */
    uint64_t lent;     /* pieces of owned memory and blobs that the kernel was to send from where they lie: io_uring */
    uint64_t lent_copied; /* of these, those it copied all the same; the connection goes on by copying then */
    uint64_t dropped; /* sends refused: over a limit, after a shutdown, or in and after on_close on the loop's thread */
    uint64_t stalls;  /* times the watchdog found it held */
    unsigned conns;   /* connections open now */
    unsigned coroutines; /* coroutines now */
} ferry_loop_counters;

/* Fills in the loop's counters. Thread: loop, or any while the pool does not run. */
FERRY_API void ferry_loop_stats(const ferry_loop *loop, ferry_loop_counters *counters);

/* Prints the loop and each of its connections: state, peer, bytes queued. For people. Thread: as ferry_loop_stats(). */
FERRY_API void ferry_loop_dump(ferry_loop *loop, FILE *to);

#ifdef __cplusplus
}
#endif

#endif
