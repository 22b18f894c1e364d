/* SPDX-License-Identifier: MIT
 *
 * bench: what the C programs of the suite share; see bench.h.
 */
#include "bench.h"

#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void bench_pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        bench_die("sched_setaffinity");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

long bench_number(const char *what, const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 1)
        errx(2, "%s takes a number above zero, not '%s'", what, text);
    return value;
}

static double each(double began, long count)
{
    return (bench_now() - began) * 1e9 / (double)count;
}

static long due_ms(long i)
{
    return 60000 + i * 7919 % 600000;
}

static double arm_all(long count, void (*arm)(long i, long ms))
{
    double began = bench_now();
    for (long i = 0; i < count; i++)
        arm(i, due_ms(i));
    return each(began, count);
}

static double cancel_all(long count, void (*cancel)(long i))
{
    double began = bench_now();
    for (long i = 0; i < count; i++)
        cancel(i);
    return each(began, count);
}

/* Each makes way for a new one. */
static double replace_all(long count, void (*arm)(long i, long ms), void (*cancel)(long i))
{
    double began = bench_now();
    for (long i = 0; i < count; i++) {
        cancel(i);
        arm(i, due_ms(i + 1));
    }
    return each(began, count);
}

void bench_timers(long count, void (*arm)(long i, long ms), void (*cancel)(long i))
{
    double cold = arm_all(count, arm);
    double pair = replace_all(count, arm, cancel);
    cold += cancel_all(count, cancel);
    double armed = arm_all(count, arm), cancelled = cancel_all(count, cancel);
    printf("{\"pair\": %.2f, \"arm\": %.2f, \"cancel\": %.2f, \"cold\": %.2f}\n", pair, armed, cancelled, cold);
}

void bench_die(const char *what)
{
    err(1, "%s", what);
}
