/* SPDX-License-Identifier: MIT
 *
 * poll: which backend a pool gets.
 */
#ifndef FY_POLL_CHOOSE_H
#define FY_POLL_CHOOSE_H

#include "poll/poll.h"

#include <ferry/loop.h>

struct fy_choice {
    const struct fy_backend *backend;
    bool automatic;
    char name[160]; /* of the backend; and why it is not io_uring, if nobody has said that it should not be */
};

/* What was asked for, or instead of it what FERRY_BACKEND in the environment says. AUTO is io_uring where that works
 * and costs less, by a measurement that is made once in a process: docs/backends.md. 0, or -errno: what was asked for
 * is not to be had, which is logged, and why. */
int fy_backend_choose(ferry_backend asked, struct fy_choice *choice);

/* A loop could not have it: what was chosen automatically is epoll now. False: it was not. */
bool fy_backend_fall_back(struct fy_choice *choice, int error);

/* Tries out what a loop needs of a backend, on sockets of its own: 0 or -errno, and what it was that failed. */
int fy_backend_probe(const struct fy_backend *backend, const char **what);

/* What a small message costs by the first, in per cent of what it costs by the second. 0 or -errno. */
int fy_backend_compare(const struct fy_backend *a, const struct fy_backend *b, unsigned *percent);

#endif
