/* SPDX-License-Identifier: MIT
 *
 * A census of connections: how many there were at most, and how much more memory this process had then than with one.
 * That is what a connection costs here; what it costs the kernel comes on top.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include <pthread.h>
#include <stddef.h>

struct census {
    pthread_mutex_t lock;
    unsigned long now, most, total; /* connections */
    size_t alone, crowded;          /* bytes resident, with the first connection and with `most` */
};

void census_init(struct census *census);

/* A connection comes, and goes. Thread: any. */
void census_enter(struct census *census);
void census_leave(struct census *census);

/* Prints a line to stdout. Thread: the one that is left. */
void census_print(const struct census *census);

#endif
