/* SPDX-License-Identifier: MIT
 *
 * loop: the user's timers, which may be made and cancelled on any thread.
 *
 * What a foreign thread asks is posted: the arming with one task, the cancelling with another, so that they keep their
 * order. The loop's thread alone frees timers; it keeps a few, since most are cancelled and followed by another.
 */
#include "base/clock.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdlib.h>

struct ferry_timer {
    struct fy_timer base;
    ferry_loop *loop;
    void (*fn)(void *);
    void *arg;
    uint64_t due;    /* nanoseconds of fy_now_ns() */
    uint64_t period; /* nanoseconds; 0 = fires once */
    struct fy_task arming, cancelling;
    atomic_bool cancelled; /* asked for, on any thread */
    bool firing, waiting;  /* inside fn; its arming is posted anew, for want of memory. The loop's thread */
    bool dropped;          /* cancelled in one of these: it is freed when that is over */
};

enum { IDLE_MOST = 256 };

static ferry_timer *take(ferry_loop *loop)
{
    struct fy_letter *idle = fy_loop_here(loop) ? loop->idle_timers : NULL;
    if (!idle)
        return malloc(sizeof(ferry_timer));
    loop->idle_timers = idle->next;
    loop->idle_timer_count--;
    return FY_CONTAINER(idle, ferry_timer, arming.letter);
}

static void give(ferry_timer *timer)
{
    ferry_loop *loop = timer->loop;
    if (loop->idle_timer_count >= IDLE_MOST) {
        free(timer);
        return;
    }
    timer->arming.letter.next = loop->idle_timers;
    loop->idle_timers = &timer->arming.letter;
    loop->idle_timer_count++;
}

/* The next beat of a periodic timer after `now`; beats that were missed are left out. */
static uint64_t next_beat(const ferry_timer *timer, uint64_t now)
{
    uint64_t next = timer->due + timer->period;
    if (next > now)
        return next;
    return next + (now - next) / timer->period * timer->period + timer->period;
}

/* Without memory it tries again next turn: a timer that was promised is late rather than lost. */
static void arm(ferry_timer *timer)
{
    timer->waiting = !fy_timer_arm(&timer->loop->timers, &timer->base, timer->due);
    if (timer->waiting)
        fy_loop_post(timer->loop, &timer->arming);
}

static void run_arming(struct fy_task *task)
{
    ferry_timer *timer = FY_CONTAINER(task, ferry_timer, arming);
    if (timer->dropped)
        give(timer);
    else
        arm(timer);
}

static void fire(struct fy_timer *base)
{
    ferry_timer *timer = FY_CONTAINER(base, ferry_timer, base);
    if (atomic_load(&timer->cancelled))
        return; /* run_cancelling() is on its way and frees it */
    timer->firing = true;
    fy_loop_does(timer->loop, "timer", NULL, (const void *)(uintptr_t)timer->fn);
    timer->fn(timer->arg);
    timer->firing = false;
    if (timer->dropped || (timer->period == 0 && !atomic_load(&timer->cancelled))) {
        give(timer);
    } else if (!atomic_load(&timer->cancelled)) {
        timer->due = next_beat(timer, fy_now_ns());
        arm(timer);
    }
}

static void cancel_here(ferry_timer *timer)
{
    if (timer->firing || timer->waiting) {
        timer->dropped = true; /* fire() frees it, or run_arming() */
        return;
    }
    fy_timer_disarm(&timer->loop->timers, &timer->base);
    give(timer);
}

static void run_cancelling(struct fy_task *task)
{
    cancel_here(FY_CONTAINER(task, ferry_timer, cancelling));
}

static ferry_timer *new_timer(ferry_loop *loop, uint64_t ms, uint64_t period, void (*fn)(void *), void *arg)
{
    ferry_timer *timer = take(loop);
    if (!timer)
        return NULL;
    uint64_t now = fy_now_ns();
    *timer = (ferry_timer){
        .base = {.fire = fire},
        .loop = loop,
        .fn = fn,
        .arg = arg,
        .due = ms > (UINT64_MAX - now) / FY_MS ? UINT64_MAX - 1 : now + ms * FY_MS,
        .period = period,
        .arming = {.run = run_arming},
        .cancelling = {.run = run_cancelling},
    };
    if (!fy_loop_here(loop)) {
        fy_loop_post(loop, &timer->arming);
    } else if (!fy_timer_arm(&loop->timers, &timer->base, timer->due)) {
        give(timer);
        errno = ENOMEM;
        return NULL;
    }
    return timer;
}

ferry_timer *ferry_after(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg)
{
    return new_timer(loop, ms, 0, fn, arg);
}

ferry_timer *ferry_every(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg)
{
    if (ms == 0)
        ms = 1;
    return new_timer(loop, ms, ms > UINT64_MAX / FY_MS ? UINT64_MAX : ms * FY_MS, fn, arg);
}

void fy_after_fini(ferry_loop *loop)
{
    for (struct fy_timer *base; (base = fy_timers_first(&loop->timers));) {
        fy_timer_disarm(&loop->timers, base);
        if (base->fire == fire)
            give(FY_CONTAINER(base, ferry_timer, base));
    }
    for (struct fy_letter *idle; (idle = loop->idle_timers);) {
        loop->idle_timers = idle->next;
        free(FY_CONTAINER(idle, ferry_timer, arming.letter));
    }
}

void ferry_timer_cancel(ferry_timer *timer)
{
    if (!timer || atomic_exchange(&timer->cancelled, true))
        return;
    if (fy_loop_here(timer->loop) && (timer->base.place || timer->firing))
        cancel_here(timer);
    else
        fy_loop_post(timer->loop, &timer->cancelling);
}
