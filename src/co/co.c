/* SPDX-License-Identifier: MIT
 *
 * co: coroutines: beginning, running, parking, ending.
 */
#include "co/co.h"

#include "base/clock.h"
#include "base/log.h"
#include "co/census.h"
#include "co/sleep.h"
#include "co/straight.h"
#include "co/switch.h"
#include "co/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct fy_co *running_on(const ferry_loop *loop)
{
    return loop ? loop->cos->running : NULL;
}

struct fy_co *fy_co_self(void)
{
    return running_on(fy_loop_current);
}

struct fy_co *fy_co_need(const char *call)
{
    struct fy_co *co = fy_co_self();
    if (!co)
        fy_fatal("%s: called outside of a coroutine", call);
    return co;
}

/* The running one's own end: it never comes back from here. */

static void begin(void *arg)
{
    struct fy_co *co = arg;
    struct fy_cos *cos = co->loop->cos;
    fy_fiber_arrive(&co->fiber, &cos->loop_fiber);
    co->fn(co->arg);
    co->finished = true;
    fy_fiber_leave(&co->fiber, &cos->loop_fiber, 1);
    fy_switch(&co->sp, cos->loop_sp);
}

/* Beginning. */

/* The stack is taken when it first runs, so that many spawned at once, and soon over, share a few. */
static bool give_stack(struct fy_co *co)
{
    co->stack = fy_stack_take(&co->loop->cos->stacks, co->stack_size);
    if (!co->stack)
        return false;
    fy_census_begin(co);
    fy_fiber_init(&co->fiber, fy_stack_bottom(co->stack), fy_stack_size(co->stack));
    co->sp = fy_switch_prepare(fy_stack_top(co->stack), begin, co);
    return true;
}

static void finish(struct fy_co *co)
{
    struct fy_cos *cos = co->loop->cos;
    if (co->stack) {
        fy_census_end(co);
        fy_fiber_fini(&co->fiber);
        fy_stack_give(co->stack);
        co->stack = NULL;
    }
    fy_list_remove(&co->link);
    cos->count--;
    pthread_mutex_lock(&cos->lock);
    atomic_fetch_add(&co->generation, 1);
    fy_wake_all(&co->joiners);
    co->state = FY_CO_FREE;
    fy_list_prepend(co->foreign ? &cos->foreign_free : &cos->free, &co->link); /* last in, first out: it is warm */
    pthread_mutex_unlock(&cos->lock);
}

/* The loop gives its thread to the coroutine, until that parks or ends. */
static void run(struct fy_co *co)
{
    struct fy_cos *cos = co->loop->cos;
    cos->running = co;
    co->state = FY_CO_RUNNING;
    co->loop->hold_back = fy_co_hold_back;
    fy_loop_does(co->loop, "coroutine", co->name, (const void *)(uintptr_t)co->fn);
    fy_fiber_of_thread(&cos->loop_fiber);
    fy_fiber_leave(&cos->loop_fiber, &co->fiber, 0);
    fy_switch(&cos->loop_sp, co->sp);
    fy_fiber_arrive(&cos->loop_fiber, &co->fiber);
    co->loop->hold_back = NULL;
    cos->running = NULL;
    if (co->finished)
        finish(co);
}

static void begin_or_go_on(struct fy_co *co)
{
    if (co->loop->cos->running)
        fy_fatal("a coroutine was to be resumed from inside another");
    if (co->loop->abandoned)
        return; /* it did not heed being cancelled, and runs no more */
    if (!co->stack && !give_stack(co)) {
        char name[64];
        fy_log(FERRY_LOG_ERROR, "no stack for coroutine %s: it does not run", fy_co_name(co, name, sizeof name));
        finish(co);
        return;
    }
    run(co);
}

/* Its task may be posted once at a time, and while it is, nobody else may run it. */
static void post(struct fy_co *co)
{
    co->posted = true;
    fy_loop_post(co->loop, &co->task);
}

static void run_task(struct fy_task *task)
{
    struct fy_co *co = FY_CONTAINER(task, struct fy_co, task);
    co->posted = false;
    begin_or_go_on(co);
}

static void join_loop(struct fy_co *co)
{
    fy_list_append(&co->loop->cos->all, &co->link);
    co->loop->cos->count++;
}

/* A foreign thread's coroutine becomes the loop's. */
static void run_first(struct fy_task *task)
{
    struct fy_co *co = FY_CONTAINER(task, struct fy_co, task);
    co->task.run = run_task;
    join_loop(co);
    run_task(task);
}

static void deadline(struct fy_timer *timer)
{
    fy_co_wake(FY_CONTAINER(timer, struct fy_co, timer), -ETIMEDOUT);
}

static struct fy_co *new_co(ferry_loop *loop, void (*fn)(void *), void *arg, const ferry_spawn_options *options)
{
    struct fy_co *co = fy_table_take(loop, !fy_loop_here(loop));
    if (!co)
        return NULL;
    co->state = FY_CO_READY;
    co->serving = options && options->serving;
    co->firm = co->finished = co->posted = false;
    atomic_store_explicit(&co->cancelled, false, memory_order_relaxed);
    co->fn = fn;
    co->arg = arg;
    co->name = options ? options->name : NULL;
    co->stack_size = options && options->stack_size ? options->stack_size : FY_STACK_DEFAULT;
    co->timer.fire = deadline;
    co->task.run = run_task;
    return co;
}

struct fy_co *fy_co_start(ferry_loop *loop, void (*fn)(void *), void *arg, const ferry_spawn_options *options)
{
    struct fy_co *co = new_co(loop, fn, arg, options);
    if (!co)
        return NULL;
    join_loop(co);
    if (give_stack(co))
        return co;
    finish(co);
    return NULL;
}

ferry_co *ferry_spawn_as(ferry_loop *loop, void (*fn)(void *arg), void *arg, const ferry_spawn_options *options)
{
    struct fy_co *co = new_co(loop, fn, arg, options);
    if (!co) {
        errno = ENOMEM;
        return NULL;
    }
    ferry_co *handle = fy_co_handle(co);
    if (co->foreign)
        co->task.run = run_first;
    else
        join_loop(co);
    post(co);
    return handle;
}

ferry_co *ferry_spawn(ferry_loop *loop, void (*fn)(void *arg), void *arg)
{
    return ferry_spawn_as(loop, fn, arg, NULL);
}

/* Parking and waking. */

/* Gives the thread back to the loop, until it is resumed. */
static int leave(struct fy_co *co, enum fy_co_state as, const char *why, const void *what)
{
    struct fy_cos *cos = co->loop->cos;
    co->state = as;
    co->why = why;
    co->what = what;
    co->since = co->loop->now;
    fy_fiber_leave(&co->fiber, &cos->loop_fiber, 0);
    fy_switch(&co->sp, cos->loop_sp);
    fy_fiber_arrive(&co->fiber, &cos->loop_fiber);
    fy_timer_disarm(&co->loop->timers, &co->timer);
    return co->result;
}

static int park(struct fy_co *co, const char *why, const void *what)
{
    return leave(co, FY_CO_PARKED, why, what);
}

void fy_co_yield(const char *why, const void *what)
{
    struct fy_co *co = fy_co_need(why);
    post(co);
    leave(co, FY_CO_READY, why, what);
}

int fy_co_park(const char *why, const void *what, uint64_t due)
{
    struct fy_co *co = fy_co_need(why);
    if (atomic_load_explicit(&co->cancelled, memory_order_relaxed)) {
        fy_co_yield(why, what); /* one that goes on all the same must not keep the thread from its loop */
        return -ECANCELED;
    }
    if (due && !fy_timer_arm(&co->loop->timers, &co->timer, due))
        return -ENOMEM;
    return park(co, why, what);
}

void fy_co_set_due(struct fy_co *co, uint64_t due)
{
    fy_timer_disarm(&co->loop->timers, &co->timer);
    if (due && !fy_timer_arm(&co->loop->timers, &co->timer, due))
        fy_co_wake(co, -ENOMEM);
}

void fy_co_park_firmly(const char *why, const void *what)
{
    struct fy_co *co = fy_co_need(why);
    co->firm = true;
    park(co, why, what);
    co->firm = false;
}

static bool make_ready(struct fy_co *co, int result)
{
    if (co->state != FY_CO_PARKED)
        return false;
    co->state = FY_CO_READY;
    co->result = result;
    return true;
}

void fy_co_wake(struct fy_co *co, int result)
{
    if (make_ready(co, result))
        post(co);
}

void fy_co_resume(struct fy_co *co, int result)
{
    bool now = !co->loop->cos->running && !co->posted;
    if (now && (co->state == FY_CO_READY || make_ready(co, result)))
        begin_or_go_on(co);
    else
        fy_co_wake(co, result);
}

void fy_co_cancel(struct fy_co *co)
{
    atomic_store_explicit(&co->cancelled, true, memory_order_relaxed);
    if (!co->firm)
        fy_co_wake(co, -ECANCELED);
}

void fy_cos_cancel(ferry_loop *loop, bool serving_too)
{
    for (struct fy_list *link = loop->cos->all.next; link != &loop->cos->all; link = link->next) {
        struct fy_co *co = FY_CONTAINER(link, struct fy_co, link);
        if (serving_too || !co->serving)
            fy_co_cancel(co);
    }
}

void ferry_yield(void)
{
    fy_co_yield("ferry_yield", NULL);
}

int ferry_sleep(uint64_t ms)
{
    uint64_t now = fy_now_ns();
    uint64_t due = ms > (UINT64_MAX - now) / FY_MS ? UINT64_MAX - 1 : now + ms * FY_MS;
    int result = fy_co_park("ferry_sleep", NULL, due);
    return result == -ETIMEDOUT ? 0 : result;
}

ferry_co *ferry_self(void)
{
    struct fy_co *co = fy_co_self();
    return co ? fy_co_handle(co) : NULL;
}

int ferry_join(ferry_co *handle)
{
    struct fy_co *co = fy_table_find(handle);
    if (!co)
        return 0;
    if (co == fy_co_self())
        return -EDEADLK;
    struct fy_cos *cos = co->loop->cos;
    int result = 0;
    pthread_mutex_lock(&cos->lock);
    if (fy_table_find(handle))
        result = fy_sleep(&co->joiners, &cos->lock, "ferry_join", co);
    pthread_mutex_unlock(&cos->lock);
    return result;
}

/* Cancelling from elsewhere is a post with the handle, which is looked up again on arrival. */

static void cancel_here(void *handle)
{
    struct fy_co *co = fy_table_find(handle);
    if (co)
        fy_co_cancel(co);
}

void ferry_cancel(ferry_co *handle)
{
    struct fy_co *co = fy_table_find(handle);
    if (!co)
        return;
    if (fy_loop_here(co->loop))
        fy_co_cancel(co);
    else
        ferry_post(co->loop, cancel_here, handle);
}

/* A loop's coroutines. */

int fy_cos_init(ferry_loop *loop)
{
    struct fy_cos *cos = calloc(1, sizeof *cos);
    if (!cos)
        return -ENOMEM;
    fy_list_init(&cos->all);
    fy_list_init(&cos->free);
    fy_list_init(&cos->foreign_free);
    pthread_mutex_init(&cos->lock, NULL);
    loop->cos = cos;
    return 0;
}

void fy_cos_fini(ferry_loop *loop)
{
    struct fy_cos *cos = loop->cos;
    fy_table_drop(loop);
    fy_stacks_fini(&cos->stacks);
    pthread_mutex_destroy(&cos->lock);
    free(cos);
    loop->cos = NULL;
}
