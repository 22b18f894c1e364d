/* SPDX-License-Identifier: MIT
 *
 * co: waiting for something that any thread may bring about: a coroutine parks, a thread that runs no loop blocks.
 *
 * A sleeper stands on the stack of whoever waits, in a list under the lock of the object. Waking one takes it off the list;
 * if it is a coroutine, the news is posted to its loop, and it does not go on before the news has arrived.
 */
#ifndef FY_CO_SLEEP_H
#define FY_CO_SLEEP_H

#include "co/co.h"

struct fy_sleeper {
    struct fy_list link;
    struct fy_co *co; /* NULL = a thread */
    bool woken;       /* under the object's lock */
    bool arrived;     /* the coroutine's loop knows */
    struct fy_task news;
    pthread_cond_t cond; /* a thread's */
};

/* The lock is held, and is held again on return. Sleeps at the end of the list: 0 when woken, -ECANCELED, or -EDEADLK in a
 * callback, which can do neither. */
int fy_sleep(struct fy_list *sleepers, pthread_mutex_t *lock, const char *why, const void *what);

/* The lock is held: wakes the first; false if there is none. */
bool fy_wake_first(struct fy_list *sleepers);
void fy_wake_all(struct fy_list *sleepers);

#endif
