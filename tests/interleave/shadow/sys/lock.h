/* SPDX-License-Identifier: MIT
 *
 * In place of src/sys/lock.h, for scenes whose subject is not the lock: taking it is one step, which waits until it is free.
 */
#ifndef FY_SYS_LOCK_H
#define FY_SYS_LOCK_H

#include "explore.h"

struct fy_lock {
    unsigned held;
};

/* Not for the compiler to instrument, all three: the lock orders by itself. */
__attribute__((no_sanitize("thread"))) static inline bool fy_lock_is_free(const void *lock, unsigned thread)
{
    (void)thread;
    return !((const struct fy_lock *)lock)->held;
}

__attribute__((no_sanitize("thread"))) static inline void fy_lock(struct fy_lock *lock)
{
    explore_await(lock, fy_lock_is_free);
    lock->held = 1;
    if (explore_running())
        atomics_acquire(lock);
}

__attribute__((no_sanitize("thread"))) static inline void fy_unlock(struct fy_lock *lock)
{
    if (explore_running())
        atomics_release(lock);
    lock->held = 0;
}

#endif
