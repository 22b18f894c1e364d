/* SPDX-License-Identifier: MIT
 *
 * The runner of a test program: a table of cases, and main().
 *
 * `PROGRAM --list` prints the names, `PROGRAM NAME` runs one case in this process, `PROGRAM` runs them all. A failing
 * assert ends the process on whichever thread it fails, with both values and the row of the table that was under test.
 * After each case the runner checks that no descriptor is left open.
 */
#ifndef FERRY_TEST_CASE_H
#define FERRY_TEST_CASE_H

/* cmocka wants these before its own header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

/* Each test program defines it; a row of zeros ends it. */
extern const struct test_case test_cases[];

/* Names what is under test from now on, for the message should it fail. */
void case_row(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails with the two reasons in words unless they are the same. */
void assert_reason(int reason, int expected);

/* A size or a number of rounds: `n`, or a part of it under FERRY_TEST_SLOW (sanitizers, valgrind), at least 1. */
size_t scale(size_t n);

/* How long a wait may take before the case has failed. Only a fail-safe: nothing waits that long when all is well. */
unsigned case_patience_ms(void);

/* How many descriptors this process has open. */
int case_descriptors(void);

/* Bytes of memory that this process has. */
size_t case_resident(void);

#endif
