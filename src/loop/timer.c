/* SPDX-License-Identifier: MIT
 *
 * loop: timers in a 4-ary heap. The children of place i are 4i-2 .. 4i+1, its parent is (i+2)/4; four children share a
 * cache line. Most timers are timeouts: armed last, due last, cancelled soon; they stay at the bottom and cost O(1).
 */
#include "loop/timer.h"

#include <stdlib.h>

struct fy_slot {
    uint64_t due;
    struct fy_timer *timer;
};

enum { FIRST_CAP = 64 };

void fy_timers_fini(struct fy_timers *timers)
{
    free(timers->heap);
    timers->heap = NULL;
}

static bool before(const struct fy_slot *a, const struct fy_slot *b)
{
    return a->due < b->due || (a->due == b->due && a->timer->order < b->timer->order);
}

static void put(struct fy_timers *t, uint32_t place, struct fy_slot slot)
{
    t->heap[place] = slot;
    slot.timer->place = place;
}

static void sift_up(struct fy_timers *t, uint32_t place, struct fy_slot slot)
{
    for (uint32_t parent; place > 1; place = parent) {
        parent = (place + 2) / 4;
        if (!before(&slot, &t->heap[parent]))
            break;
        put(t, place, t->heap[parent]);
    }
    put(t, place, slot);
}

static void sift_down(struct fy_timers *t, uint32_t place, struct fy_slot slot)
{
    for (;;) {
        uint64_t first = (uint64_t)place * 4 - 2;
        if (first > t->count)
            break;
        uint32_t least = (uint32_t)first;
        for (uint32_t child = least + 1; child < first + 4 && child <= t->count; child++)
            if (before(&t->heap[child], &t->heap[least]))
                least = child;
        if (!before(&t->heap[least], &slot))
            break;
        put(t, place, t->heap[least]);
        place = least;
    }
    put(t, place, slot);
}

/* Puts a slot whose key may be anything into a place whose own has gone. */
static void settle(struct fy_timers *t, uint32_t place, struct fy_slot slot)
{
    if (place > 1 && before(&slot, &t->heap[(place + 2) / 4]))
        sift_up(t, place, slot);
    else
        sift_down(t, place, slot);
}

static bool grow(struct fy_timers *t)
{
    uint32_t cap = t->cap ? t->cap * 2 : FIRST_CAP;
    struct fy_slot *heap = realloc(t->heap, ((size_t)cap + 1) * sizeof *heap);
    if (!heap)
        return false;
    t->heap = heap;
    t->cap = cap;
    return true;
}

bool fy_timer_arm(struct fy_timers *t, struct fy_timer *timer, uint64_t due)
{
    if (timer->place == 0 && t->count == t->cap && !grow(t))
        return false;
    struct fy_slot slot = {due, timer};
    timer->order = t->armed++;
    if (timer->place)
        settle(t, timer->place, slot);
    else
        sift_up(t, ++t->count, slot);
    return true;
}

void fy_timer_disarm(struct fy_timers *t, struct fy_timer *timer)
{
    uint32_t place = timer->place;
    if (place == 0)
        return;
    timer->place = 0;
    struct fy_slot last = t->heap[t->count--];
    if (last.timer != timer)
        settle(t, place, last);
}

struct fy_timer *fy_timers_first(const struct fy_timers *t)
{
    return t->count ? t->heap[1].timer : NULL;
}

uint64_t fy_timers_next(const struct fy_timers *t)
{
    return t->count ? t->heap[1].due : UINT64_MAX;
}

unsigned fy_timers_run(struct fy_timers *t, uint64_t now)
{
    unsigned fired = 0;
    const uint64_t later = t->armed;
    while (t->count && t->heap[1].due <= now && t->heap[1].timer->order < later) {
        struct fy_timer *timer = t->heap[1].timer;
        fy_timer_disarm(t, timer);
        fired++;
        timer->fire(timer);
    }
    return fired;
}
