/* SPDX-License-Identifier: MIT
 *
 * A kernel for scenes: one socket with a window, whose edges are told once; an eventfd; futexes; a clock. In place of
 * src/sys/sys.c and of a backend.
 */
#ifndef INTERLEAVE_KERNEL_H
#define INTERLEAVE_KERNEL_H

#include "poll/poll.h"

enum { KERNEL_RUNS = 32 };

/* Bytes of one value that came one behind the other. */
struct kernel_run {
    char value;
    size_t len;
};

struct kernel {
    size_t room, inflight; /* bytes */
    bool missed, edge;     /* a writer has found no room; there is room again, to be told, */
    bool told;             /* and is, in this turn */
    bool bell, corked, closed, finished;
    uint64_t now, tick; /* nanoseconds; how much later it is at each look at the clock */
    unsigned writers, early;
    struct kernel_run runs[KERNEL_RUNS];
    unsigned count;
    struct fy_source *socket;
};

extern struct kernel kernel;
extern const struct fy_backend kernel_backend;

void kernel_reset(size_t room, uint64_t tick);

/* The peer, as a thread: reads whatever comes. */
void kernel_peer(void);

/* How many messages of `value` came, whole and by themselves, with `len` bytes each. */
unsigned kernel_came(char value, size_t len);

#endif
