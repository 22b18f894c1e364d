/* SPDX-License-Identifier: MIT
 *
 * bench: what the C programs of the suite share.
 */
#ifndef BENCH_H
#define BENCH_H

double bench_now(void); /* seconds */

void bench_pin(int core); /* the calling process */

/* The median of `count` values, which it sorts. */
double bench_median(double *values, int count);

/* A whole number above zero from the command line; anything else ends the program with a line that names `what`. */
long bench_number(const char *what, const char *text);

/* The timers benchmark: the delay of the i-th timer in milliseconds, one to eleven minutes in an order that is not theirs; and
 * what arming and cancelling one of them cost, as JSON, from the times when it began and each was done. */
long bench_timer_delay(long i);
void bench_timer_print(long count, double began, double armed, double cancelled);

/* Ends the program with a line on stderr: what failed, and errno's reason. */
_Noreturn void bench_die(const char *what);

#endif
