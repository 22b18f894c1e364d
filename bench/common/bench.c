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

long bench_timer_delay(long i)
{
    return 60000 + i * 7919 % 600000;
}

void bench_timer_print(long count, double began, double armed, double cancelled)
{
    printf("{\"arm\": %.2f, \"cancel\": %.2f}\n", (armed - began) * 1e9 / (double)count,
           (cancelled - armed) * 1e9 / (double)count);
}

void bench_die(const char *what)
{
    err(1, "%s", what);
}
