/* SPDX-License-Identifier: MIT
 *
 * loop: timers, in a 4-ary heap of (due, timer) pairs, so that comparing touches no timer except at a tie. Timers are
 * intrusive; those of the same time fire in the order they were armed. Loop's thread only.
 */
#ifndef FY_LOOP_TIMER_H
#define FY_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct fy_timer {
    void (*fire)(struct fy_timer *); /* disarmed already when called; may arm it again, or free it */
    uint64_t order;                  /* among timers of the same time */
    uint32_t place;                  /* in the heap, from 1; 0 = not armed */
};

struct fy_timers {
    struct fy_slot *heap; /* heap[1..count] */
    uint32_t count, cap;
    uint64_t armed; /* so far: the next timer's order */
};

void fy_timers_fini(struct fy_timers *timers);

/* Arms or re-arms for `due`, in nanoseconds of fy_now_ns(). False: no memory, it is not armed. A timer that is armed is
 * re-armed without fail. */
bool fy_timer_arm(struct fy_timers *timers, struct fy_timer *timer, uint64_t due);
void fy_timer_disarm(struct fy_timers *timers, struct fy_timer *timer);
static inline bool fy_timer_armed(const struct fy_timer *timer)
{
    return timer->place != 0;
}

/* The first to fire, or NULL. */
struct fy_timer *fy_timers_first(const struct fy_timers *timers);

/* When the first is due; UINT64_MAX = never. */
uint64_t fy_timers_next(const struct fy_timers *timers);

/* Fires what is due, but not what the firing armed. Returns how many. */
unsigned fy_timers_run(struct fy_timers *timers, uint64_t now);

#endif
