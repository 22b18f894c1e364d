/* SPDX-License-Identifier: MIT
 *
 * bench: timers: timers COUNT arms so many, in an order that is not theirs, cancels each, and prints what one cost.
 */
#include "bench.h"

#include <err.h>
#include <ferry/ferry.h>
#include <stdlib.h>

static long count;
static ferry_timer **timers;

static void fire(void *arg)
{
    (void)arg;
    errx(1, "a timer fired that was to be cancelled");
}

static void arm(long i, long ms)
{
    timers[i] = ferry_after(ferry_loop_current(), (uint64_t)ms, fire, NULL);
}

static void cancel(long i)
{
    ferry_timer_cancel(timers[i]);
}

static void measure(void *pool)
{
    timers = calloc((size_t)count, sizeof(ferry_timer *));
    if (!timers)
        err(1, "timers");
    bench_timers(count, arm, cancel);
    free(timers);
    ferry_pool_stop(pool);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: timers COUNT");
    count = bench_number("COUNT", argv[1]);
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    if (!pool)
        err(1, "ferry");
    ferry_post(ferry_pool_loop(pool, 0), measure, pool);
    int error = ferry_pool_run(pool);
    ferry_pool_free(pool);
    return error < 0;
}
