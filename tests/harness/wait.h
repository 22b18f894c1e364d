/* SPDX-License-Identifier: MIT
 *
 * Waiting for what another thread does: counts of events, and conditions. A wait that takes too long fails the case.
 */
#ifndef FERRY_TEST_WAIT_H
#define FERRY_TEST_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* How often something has happened. Zeros are a count of none; any thread may add and wait. */
struct count {
    uint64_t value;
};

void count_add(struct count *count, uint64_t n);
uint64_t count_get(struct count *count);

/* Returns once the count is `value` or more. */
void count_wait(struct count *count, uint64_t value);

/* The same, but gives up after `ms` without failing. Returns whether the count got there. */
bool count_wait_ms(struct count *count, uint64_t value, unsigned ms);

/* Returns once condition(arg) holds; for what no event tells, it looks again and again. */
void wait_until(bool (*condition)(void *arg), void *arg);

/* Milliseconds and nanoseconds of the monotonic clock. */
uint64_t now_ms(void);
uint64_t now_ns(void);

void sleep_ms(unsigned ms);

#endif
