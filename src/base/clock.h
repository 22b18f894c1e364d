/* SPDX-License-Identifier: MIT
 *
 * base: the one clock. Monotonic, in nanoseconds; a read costs no system call (vdso(7)).
 */
#ifndef FY_BASE_CLOCK_H
#define FY_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define FY_MS UINT64_C(1000000) /* nanoseconds in a millisecond */
#define FY_SECOND UINT64_C(1000000000)

static inline uint64_t fy_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * FY_SECOND + (uint64_t)t.tv_nsec;
}

#endif
