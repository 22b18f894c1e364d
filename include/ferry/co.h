/* SPDX-License-Identifier: MIT
 *
 * Coroutines: a connection in straight lines, and what goes with it.
 *
 * A coroutine runs on one loop for life, on a stack of its own. It gives way only inside a call that parks: those here that
 * say so, and ferry_send() and its kin above the high-water mark. Between two of them it has its loop for itself. A parked
 * call fails with -ECANCELED when its coroutine is cancelled, with -ETIMEDOUT when a deadline passes.
 */
#ifndef FERRY_CO_H
#define FERRY_CO_H

#include <ferry/conn.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A handle: it may be kept and used for ever. One whose coroutine has finished is known to be so, also when many others
 * have run in its place. */
typedef struct ferry_co ferry_co;

struct ferry_service;

typedef struct ferry_spawn_options {
    const char *name;  /* in dumps and messages; must outlive the coroutine; NULL = the address of fn */
    size_t stack_size; /* bytes; 0 = 64 KiB */
    bool serving;      /* a pool that stops lets it finish, in the grace time, as it does `serve` */
} ferry_spawn_options;

/* Starts fn(arg) as a coroutine of that loop; it runs from the next turn on, never inside this call.
 * Thread: any. Owns: nothing to give back. Fails: NULL with ENOMEM. Its stack is taken when it first runs: where there is
 * none then, it does not run, which is logged, and joining it is 0. */
FERRY_API ferry_co *ferry_spawn(ferry_loop *loop, void (*fn)(void *arg), void *arg);
FERRY_API ferry_co *ferry_spawn_as(ferry_loop *loop, void (*fn)(void *arg), void *arg,
                                   const ferry_spawn_options *options);

/* Parks until it has finished; 0 also if it has long since. From a thread that runs no loop it blocks that thread.
 * Fails: -ECANCELED (the caller was cancelled), -EDEADLK (itself, or in a callback). */
FERRY_API int ferry_join(ferry_co *co);

/* Cancels it: the call it is parked in, and each parking call after, fails with -ECANCELED, so that it can clean up and
 * return. No effect on one that has finished. Returns at once. Thread: any. */
FERRY_API void ferry_cancel(ferry_co *co);

/* The coroutine that is running on the calling thread, or NULL. Thread: any. */
FERRY_API ferry_co *ferry_self(void);

/* Lets others run for a turn. Parks. Thread: coroutine. */
FERRY_API void ferry_yield(void);

/* Parks for `ms`. 0, -ECANCELED, or -ENOMEM (at once: there is none for a timer). Thread: coroutine. */
FERRY_API int ferry_sleep(uint64_t ms);

/* Runs fn(arg) on a worker thread, where it may block; parks until it has returned, also when cancelled meanwhile. A pool has
 * four such threads at most; what comes when all are busy waits its turn.
 * 0, or -ECANCELED (it has not run, the coroutine having been cancelled before). Thread: coroutine. */
FERRY_API int ferry_offload(void (*fn)(void *arg), void *arg);

/* The same from a callback: done(arg) runs on that loop when fn(arg) has returned.
 * Thread: any. Fails: -ENOMEM; neither runs then. */
FERRY_API int ferry_offload_then(ferry_loop *loop, void (*fn)(void *arg), void (*done)(void *arg), void *arg);

/* Straight-line input. For connections with `serve`, and those of ferry_dial(); one coroutine at a time reads from a
 * connection (-EBUSY). Thread: a coroutine of the connection's loop. All that return a number park, and fail with the
 * reason the connection closed with, -ECANCELED, -ETIMEDOUT (ferry_conn_set_deadline; -ENOMEM, if there is none for its
 * timer), or -EINVAL (a connection with callbacks; no room; no delimiter). */

/* At least one byte, at most `cap`: how many; 0 = end of input. */
FERRY_API ssize_t ferry_recv(ferry_conn *conn, void *buf, size_t cap);

/* All of `len` bytes: `len`; less, if the input ends before (0 = at once). When it fails, nothing is taken off the input,
 * unless `len` is above the service's max_input. */
FERRY_API ssize_t ferry_recv_exact(ferry_conn *conn, void *buf, size_t len);

/* Up to and including the delimiter: how many; 0 = the input ends without one (what is left of it stays, for ferry_recv()).
 * Fails also: -EMSGSIZE (it is not among the first `cap` bytes; they stay. Nor among max_input, if `cap` is more: the
 * connection closes with it). */
FERRY_API ssize_t ferry_recv_until(ferry_conn *conn, void *buf, size_t cap, const char *delimiter);

/* Lends what is there, at least one byte: how many, in *data, until this coroutine parks or consumes; 0 = end of input.
 * A connection that waits here needs no buffer. */
FERRY_API ssize_t ferry_peek(ferry_conn *conn, const void **data);

/* Takes `len` of the lent bytes off the input; what is not consumed comes again. When the connection has ended meanwhile,
 * and its input with it, nothing is left to take. */
FERRY_API void ferry_consume(ferry_conn *conn, size_t len);

/* Parks until nothing is pending: 0; or the reason it closed with; or why a send since the last flush was refused (see
 * ferry_stats.drop_reason). Any kind of connection. */
FERRY_API int ferry_flush(ferry_conn *conn);

/* At that time calls that are parked on this connection, also those that are now, fail with -ETIMEDOUT, and from then on
 * each that would park; 0 = no more. It takes the place of the one before. The connection stays as it is. On one with
 * callbacks it has no effect. Thread: loop. */
FERRY_API void ferry_conn_set_deadline(ferry_conn *conn, uint64_t ms_from_now);

/* Connects, one attempt over all addresses of the name; parks. The connection is the caller's: ferry_close() (or _abort)
 * and ferry_conn_unref() it. `timeout_ms` is for each of the addresses, 0 = 5000; looking the name up is not counted.
 * Fails: NULL with the errno of socket(2) or connect(2), ETIMEDOUT, ENOENT (no such name), EAGAIN (no name server answers),
 * EINVAL (the address), ECANCELED, ENOMEM. */
FERRY_API ferry_conn *ferry_dial(const char *address, unsigned timeout_ms);

/* The same with the limits, times, socket options and on_close of a service (ferry/server.h); on_close comes once, also
 * when connecting fails. EINVAL also for a service with `serve` or another callback. */
FERRY_API ferry_conn *ferry_dial_as(const char *address, unsigned timeout_ms, const struct ferry_service *service);

#ifdef __cplusplus
}
#endif

#endif
