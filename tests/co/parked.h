/* SPDX-License-Identifier: MIT
 *
 * Where the coroutines of a host are, as its dump tells it: the event that a case waits for before it disturbs one.
 */
#ifndef FERRY_TEST_PARKED_H
#define FERRY_TEST_PARKED_H

#include "host.h"

/* The dump of loop `index`, from malloc(). */
char *dump_of(struct host *host, unsigned index);

/* How many coroutines with that name are parked in that call; each NULL stands for any. */
size_t parked(struct host *host, unsigned index, const char *name, const char *call);

/* Returns once one is parked there; or so many. */
void wait_parked(struct host *host, const char *name, const char *call);
void wait_parked_many(struct host *host, const char *name, const char *call, size_t many);

/* Spawns on loop `index` by that name; must succeed. */
ferry_co *start(struct host *host, unsigned index, const char *name, void (*fn)(void *), void *arg);

/* The same, and joins it. */
void run_through(struct host *host, unsigned index, void (*fn)(void *), void *arg);

/* The index of the connection's loop. */
unsigned loop_index(struct host *host, const ferry_conn *conn);

/* A host without a listener. */
void host_bare(struct host *host, unsigned threads);

#endif
