/* SPDX-License-Identifier: MIT
 *
 * co: a stack that overflows ends the process with a sentence that names the coroutine.
 */
#ifndef FY_CO_OVERFLOW_H
#define FY_CO_OVERFLOW_H

#include <signal.h>

/* A thread's stack for the handler. */
struct fy_alarm {
    void *stack; /* NULL = no memory: a plain SIGSEGV remains */
    stack_t before;
};

/* Between the two, overflows on the calling thread are told of. */
void fy_overflow_enter(struct fy_alarm *alarm);
void fy_overflow_leave(struct fy_alarm *alarm);

#endif
