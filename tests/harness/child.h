/* SPDX-License-Identifier: MIT
 *
 * What ends the process, tried in a process of its own.
 */
#ifndef FERRY_TEST_CHILD_H
#define FERRY_TEST_CHILD_H

#include <stddef.h>

/* Runs fn(arg) in a child; exiting with 0 when it returns. Returns what waitpid(2) tells, and in `said` what was written on
 * stderr. To be called while there is no other thread. */
int child_run(void (*fn)(void *arg), void *arg, char *said, size_t cap);

/* The same, and fails unless it ended by abort(3), having said that sentence. */
void child_expect_abort(void (*fn)(void *arg), void *arg, const char *sentence);

#endif
