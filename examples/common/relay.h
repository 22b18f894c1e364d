/* SPDX-License-Identifier: MIT
 *
 * The command line of the relay, and how much it lets wait; see relay.c in examples/reactor and examples/coroutine.
 */
#ifndef RELAY_H
#define RELAY_H

#include "example.h"

/* When it copies, so much is queued for one that does not read, and what one read brings. And a reader may pause for so
 * long, also when everything has been sent to it. */
enum { RELAY_HIGH_WATER = 256 << 10, RELAY_LINGER_MS = 600 * 1000 };

typedef struct relay_flags {
    example_flags common;
    const char *target;
    bool copy; /* --by copy: the bytes go through the program; else the kernel moves them */
} relay_flags;

/* As example_parse(). */
relay_flags relay_parse(int argc, char **argv);

#endif
