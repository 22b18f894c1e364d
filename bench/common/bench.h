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

/* The timers benchmark: arms `count` timers, the i-th in `ms`, from one to eleven minutes in an order that is not theirs;
 * while all are armed it cancels each and arms another (pair); then cancels all, arms and cancels all again. Prints as JSON
 * what one cost, the last two by themselves, and the first two together (cold: nobody had touched the memory). */
void bench_timers(long count, void (*arm)(long i, long ms), void (*cancel)(long i));

/* Ends the program with a line on stderr: what failed, and errno's reason. */
_Noreturn void bench_die(const char *what);

#endif
