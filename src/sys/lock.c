/* SPDX-License-Identifier: MIT
 *
 * sys: waiting for a lock.
 */
#include "sys/lock.h"

#include "sys/sys.h"

enum { SPINS = 100 }; /* looks before sleeping: what it guards is held for less than a sleep takes */

static bool try_again(struct fy_lock *lock)
{
    unsigned free = FY_LOCK_FREE;
    return atomic_load_explicit(&lock->state, memory_order_relaxed) == FY_LOCK_FREE &&
           atomic_compare_exchange_weak_explicit(&lock->state, &free, FY_LOCK_HELD, memory_order_acquire,
                                                 memory_order_relaxed);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Whoever has slept takes it as wanted: there may be others, and it cannot know. */
void fy_lock_wait(struct fy_lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        if (try_again(lock))
            return;
        relax();
    }
    while (atomic_exchange_explicit(&lock->state, FY_LOCK_WANTED, memory_order_acquire) != FY_LOCK_FREE)
        fy_sys_wait_while(&lock->state, FY_LOCK_WANTED);
}

void fy_lock_wake(struct fy_lock *lock)
{
    fy_sys_wake_one(&lock->state);
}
