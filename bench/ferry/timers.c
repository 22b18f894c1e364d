/* SPDX-License-Identifier: MIT
 *
 * bench: timers: timers COUNT arms so many, in an order that is not theirs, cancels each, and prints what one cost.
 */
#include "bench.h"

#include <err.h>
#include <ferry/ferry.h>
#include <stdio.h>
#include <stdlib.h>

static long count;

static void fire(void *arg)
{
    (void)arg;
    errx(1, "a timer fired that was to be cancelled");
}

/* From one to eleven minutes, spread as connections' timeouts are. */
static uint64_t delay(long i)
{
    return 60000 + (uint64_t)i * 7919 % 600000;
}

static void measure(void *pool)
{
    ferry_loop *loop = ferry_loop_current();
    ferry_timer **timers = calloc((size_t)count, sizeof *timers);
    if (!timers)
        err(1, "timers");
    double start = bench_now();
    for (long i = 0; i < count; i++)
        timers[i] = ferry_after(loop, delay(i), fire, NULL);
    double armed = bench_now();
    for (long i = 0; i < count; i++)
        ferry_timer_cancel(timers[i]);
    double cancelled = bench_now();
    printf("{\"arm\": %.2f, \"cancel\": %.2f}\n", (armed - start) * 1e9 / (double)count,
           (cancelled - armed) * 1e9 / (double)count);
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
