/* SPDX-License-Identifier: MIT
 *
 * bench: what the benchmarks share: a clock, a server in another process, its memory and its CPU time.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sys/types.h>

double bench_now(void); /* seconds */

/* Starts a program that prints "listening on 127.0.0.1:PORT", on that core. Ends the benchmark if it cannot. */
pid_t bench_start(char *const argv[], int core, int *port);
void bench_stop(pid_t pid);

long bench_rss(pid_t pid);   /* bytes */
double bench_cpu(pid_t pid); /* seconds, of all its threads, by the scheduler's clock */

void bench_pin(int core); /* the calling process */

/* A whole number above zero from the command line; 0 = it is none. */
int bench_count(const char *text);

/* Blocking, without Nagle's delay, by cubic: bbr's pacing timers would be measured along. */
int bench_connect(int port);

/* The median of `count` values, which it sorts. */
double bench_median(double *values, int count);

#endif
