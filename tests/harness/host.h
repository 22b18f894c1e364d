/* SPDX-License-Identifier: MIT
 *
 * A server in this process: a pool on a thread of its own, with a watched listener on a port that the kernel chose.
 */
#ifndef FERRY_TEST_HOST_H
#define FERRY_TEST_HOST_H

#include "watch.h"

#include <ferry/ferry.h>
#include <pthread.h>

struct host {
    struct watch watch;
    ferry_pool *pool;
    ferry_listener *listener; /* NULL without an address */
    const char *address;      /* with the real port */
    pthread_t thread;         /* runs loop 0 */
};

/* Starts with one loop, on 127.0.0.1, keeping a reference to each connection. */
void host_start(struct host *host, const ferry_service *service);

/* The same in two steps, so that options can differ: what is set in host->watch in between counts. A NULL `service` or
 * `address` leaves the listener out; a NULL `options` means one loop. */
void host_init(struct host *host, const ferry_service *service);
void host_run(struct host *host, const char *address, const ferry_pool_options *options);

/* Stops the pool, waits for its thread, frees all and checks what the watch has seen. */
void host_stop(struct host *host);

/* The same at once: a second stop cuts what is still open. */
void host_cut(struct host *host);

/* Runs fn(arg) on loop `index` and returns when it has run. */
void host_call(struct host *host, unsigned index, void (*fn)(void *), void *arg);

/* The counters of a loop, of all loops together, and of the listener. */
void host_counters(struct host *host, unsigned index, ferry_loop_counters *counters);
void host_accepts(struct host *host, ferry_accept_stats *stats);

/* Returns when all that lies before now on each loop has been done. */
void host_settle(struct host *host);

/* Runs the scene over each backend, whatever the suite runs on; a row of the case each. */
void host_on_each_backend(void (*scene)(void));

#endif
