/* SPDX-License-Identifier: MIT
 *
 * sys: a lock of four bytes, for objects that are many: one compare-and-swap to take, one exchange to release, and the
 * kernel only when somebody has to wait. (U. Drepper, "Futexes are tricky", 2011: mutex 2.) Zeros are a free one.
 *
 * Whoever takes it acquires what the one before released. All that can lose a wake-up is exchanged in the one word, whose
 * changes have an order, and compared again by the kernel before it sleeps; so it needs no stronger orders, and looks that
 * only decide whether to try are relaxed.
 */
#ifndef FY_SYS_LOCK_H
#define FY_SYS_LOCK_H

#include <stdatomic.h>

enum { FY_LOCK_FREE, FY_LOCK_HELD, FY_LOCK_WANTED }; /* wanted: held, and somebody may be waiting */

struct fy_lock {
    atomic_uint state;
};

void fy_lock_wait(struct fy_lock *lock);
void fy_lock_wake(struct fy_lock *lock);

static inline void fy_lock(struct fy_lock *lock)
{
    unsigned free = FY_LOCK_FREE;
    if (!atomic_compare_exchange_strong_explicit(&lock->state, &free, FY_LOCK_HELD, memory_order_acquire,
                                                 memory_order_relaxed))
        fy_lock_wait(lock);
}

static inline void fy_unlock(struct fy_lock *lock)
{
    if (atomic_exchange_explicit(&lock->state, FY_LOCK_FREE, memory_order_release) == FY_LOCK_WANTED)
        fy_lock_wake(lock);
}

#endif
