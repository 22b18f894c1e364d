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

static void measure(void *pool)
{
    ferry_loop *loop = ferry_loop_current();
    ferry_timer **timers = calloc((size_t)count, sizeof *timers);
    if (!timers)
        err(1, "timers");
    double start = bench_now();
    for (long i = 0; i < count; i++)
        timers[i] = ferry_after(loop, (uint64_t)bench_timer_delay(i), fire, NULL);
    double armed = bench_now();
    for (long i = 0; i < count; i++)
        ferry_timer_cancel(timers[i]);
    bench_timer_print(count, start, armed, bench_now());
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
