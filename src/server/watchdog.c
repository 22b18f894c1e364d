/* SPDX-License-Identifier: MIT
 *
 * server: the watchdog: a thread that looks at each loop now and then, and says what holds it.
 *
 * A loop notes what it is about to call, and counts (loop/loop.h, fy_loop_does): three or four plain stores, no clock. The
 * watchdog has the clock: a count that does not change for watchdog_ms, while the loop is not waiting, is one call that
 * takes too long. It is told once, while it is still going on.
 */
#include "base/clock.h"
#include "base/log.h"
#include "server/pool.h"
#include "sys/sys.h"

#include <stdlib.h>

struct watched {
    uint64_t step;
    uint64_t since; /* when this step was seen first */
    bool told;
};

struct fy_watchdog {
    pthread_mutex_t lock;
    pthread_cond_t end;
    bool ending;
    unsigned long thread;
    struct watched loops[];
};

static void tell(ferry_loop *loop, const char *doing, uint64_t held)
{
    const char *name = atomic_load(&loop->name);
    const void *function = atomic_load(&loop->function);
    atomic_fetch_add(&loop->stalls, 1);
    fy_log(FERRY_LOG_WARNING, "loop %u has been held for %llu ms by %s %s (%p)", loop->index,
           (unsigned long long)(held / FY_MS), doing, name ? name : "without a name", function);
}

static void look(ferry_loop *loop, struct watched *seen, uint64_t limit)
{
    uint64_t step = atomic_load_explicit(&loop->step, memory_order_acquire);
    const char *doing = atomic_load(&loop->doing);
    uint64_t now = fy_now_ns();
    if (step != seen->step || !doing) {
        *seen = (struct watched){.step = step, .since = now};
    } else if (!seen->told && now - seen->since >= limit) {
        seen->told = true;
        tell(loop, doing, now - seen->since);
    }
}

static void *watch(void *arg)
{
    ferry_pool *pool = arg;
    struct fy_watchdog *dog = pool->watchdog;
    uint64_t limit = pool->options.watchdog_ms * FY_MS;
    uint64_t period = limit / 4;
    pthread_mutex_lock(&dog->lock);
    while (!dog->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + period;
        until.tv_sec += (time_t)(ns / FY_SECOND);
        until.tv_nsec = (long)(ns % FY_SECOND);
        pthread_cond_timedwait(&dog->end, &dog->lock, &until);
        for (unsigned i = 0; i < pool->size && !dog->ending; i++)
            look(&pool->loops[i], &dog->loops[i], limit);
    }
    pthread_mutex_unlock(&dog->lock);
    return NULL;
}

void fy_watchdog_start(ferry_pool *pool)
{
    if (pool->options.watchdog_ms == 0)
        return;
    struct fy_watchdog *dog = calloc(1, sizeof *dog + pool->size * sizeof dog->loops[0]);
    pthread_condattr_t monotonic;
    if (!dog)
        return;
    pthread_mutex_init(&dog->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&dog->end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pool->watchdog = dog;
    if (fy_sys_thread(watch, pool, &dog->thread) == 0)
        return;
    fy_log(FERRY_LOG_WARNING, "the watchdog has no thread, and does not watch");
    free(dog);
    pool->watchdog = NULL;
}

void fy_watchdog_stop(ferry_pool *pool)
{
    struct fy_watchdog *dog = pool->watchdog;
    if (!dog)
        return;
    pthread_mutex_lock(&dog->lock);
    dog->ending = true;
    pthread_cond_signal(&dog->end);
    pthread_mutex_unlock(&dog->lock);
    pthread_join((pthread_t)dog->thread, NULL);
    pthread_cond_destroy(&dog->end);
    pthread_mutex_destroy(&dog->lock);
    free(dog);
    pool->watchdog = NULL;
}
