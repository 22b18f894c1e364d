/* SPDX-License-Identifier: MIT
 *
 * Runs a few threads, each a context of its own on one thread of the system, through every order of their steps.
 *
 * A step is one access of a word that threads share, or one call of the kernel; what a thread does between two steps
 * concerns nobody else, or is a race, which is told. The search is depth first, from the beginning for each schedule. Of
 * schedules that differ only in the order of steps that do not touch the same object it goes through one, by sleep sets
 * (P. Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996); there is no other bound.
 *
 * The library's own code is compiled with -fsanitize=thread, so that the compiler turns each atomic operation and each
 * plain access into a call, and linked with atomics.c in place of the sanitizer. The orders are those in which all threads
 * see the same memory (sequentially consistent), with two things on top: a plain access that no acquire and release order
 * behind another thread's is a race; and, where a scene asks for it, an atomic store that is not sequentially consistent
 * waits in a buffer of its thread's, as on x86, until an exchange, a system call, or just any later moment.
 */
#ifndef INTERLEAVE_EXPLORE_H
#define INTERLEAVE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THREADS = 4 }; /* at most */

struct scene {
    const char *name;
    void (*setup)(void); /* before each schedule; what threads share is allocated there */
    void (*threads[THREADS])(void);
    void (*check)(void);
    unsigned daemons; /* bits: threads that may wait for ever, once the others have ended */
    bool buffered;    /* stores may be late */
};

/* Ends the program with status 1 and the schedule, if one fails. */
void explore(const struct scene *wanted);

/* For threads. The next access is of the object, or a call of the kernel about it: others may go first. */
void explore_step(const void *object, bool changes);
/* ...and not before it is ready. */
void explore_await(const void *object, bool (*ready)(const void *object, unsigned thread));
/* Any of 0 .. n - 1: each is gone through. */
unsigned explore_choose(unsigned n);

unsigned explore_self(void);
bool explore_running(void); /* false in setup and check */
void explore_fail(const char *why, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Memory that is gone with the schedule. What was freed must not be touched. */
void *explore_malloc(size_t size);
void *explore_calloc(size_t n, size_t size);
void explore_free(void *memory);

/* For atomics.c: a step that may or may not have to wait until the thread's stores are there. */
void explore_access(const void *object, bool changes, bool drained, const void *place);

/* atomics.c */
void atomics_begin(unsigned threads, bool late);
bool atomics_drained(unsigned thread);      /* nothing waits in its buffer */
const void *atomics_waits(unsigned thread); /* the address of the oldest store that does */
void atomics_flush(unsigned thread);
void atomics_acquire(const void *object); /* the kernel's, or a lock's, order of things */
void atomics_release(const void *object);
void atomics_quiet(const void *address, size_t size); /* counters: what is done to them, relaxed, is no step */
void atomics_allocated(char *memory, size_t size);
void atomics_freed(char *memory, size_t size);

#endif
