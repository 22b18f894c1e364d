/* SPDX-License-Identifier: MIT
 *
 * poll: which backend a pool gets.
 */
#ifndef FY_POLL_CHOOSE_H
#define FY_POLL_CHOOSE_H

#include "poll/poll.h"

#include <ferry/loop.h>

/* A choice, and for people what came of it: a backend's name, and if io_uring would have been taken and is not to be had, why. */
struct fy_choice {
    const struct fy_backend *backend;
    bool free; /* any backend will do */
    char text[160];
};

/* What was asked for, or instead of it what FERRY_BACKEND in the environment says. 0, or -errno: it is not to be had and
 * nothing else will do, which is logged. */
int fy_backend_choose(ferry_backend asked, struct fy_choice *choice);

/* The chosen backend says `error` when it is opened. Whether there is another to be tried. */
bool fy_backend_next(struct fy_choice *choice, int error);

/* Tries out what a loop needs of a backend, on sockets of its own: 0 or -errno, and what it was that failed. */
int fy_backend_probe(const struct fy_backend *backend, const char **what);

#endif
