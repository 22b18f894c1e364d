/* SPDX-License-Identifier: MIT
 *
 * poll: which backend a pool gets.
 */
#ifndef FY_POLL_CHOOSE_H
#define FY_POLL_CHOOSE_H

#include "poll/poll.h"

#include <ferry/loop.h>

/* What was asked for, or instead of it what FERRY_BACKEND in the environment says. AUTO is epoll: docs/backends.md. 0, or -errno: it
 * is not to be had, which is logged, and why. */
int fy_backend_choose(ferry_backend asked, const struct fy_backend **backend);

/* Tries out what a loop needs of a backend, on sockets of its own: 0 or -errno, and what it was that failed. */
int fy_backend_probe(const struct fy_backend *backend, const char **what);

#endif
