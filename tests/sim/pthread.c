/* SPDX-License-Identifier: MIT
 *
 * What the library asks of threads besides system calls. A mutex's memory is ours to use, and zeros are a free one; a condition
 * has none to keep.
 */
#include "sim.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

enum { SECOND = 1000 * 1000 * 1000 };

/* The names that names.h gives them. */
int sim_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int sim_pthread_mutex_destroy(pthread_mutex_t *mutex);
int sim_pthread_mutex_lock(pthread_mutex_t *mutex);
int sim_pthread_mutex_unlock(pthread_mutex_t *mutex);
int sim_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int sim_pthread_cond_destroy(pthread_cond_t *cond);
int sim_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int sim_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int sim_pthread_cond_signal(pthread_cond_t *cond);
int sim_pthread_cond_broadcast(pthread_cond_t *cond);
int sim_pthread_join(pthread_t thread, void **result);
int sim_pthread_once(pthread_once_t *once, void (*run)(void));
int sim_sched_yield(void);
int sim_clock_gettime(clockid_t clock, struct timespec *time);

static unsigned *held(pthread_mutex_t *mutex)
{
    return (unsigned *)(void *)mutex;
}

int sim_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    *held(mutex) = 0;
    return 0;
}

int sim_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (*held(mutex))
        sim_fail("a mutex is destroyed while it is held");
    return 0;
}

int sim_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    sim_step("mutex lock", 0, 0);
    while (*held(mutex)) {
        sim_reached(SIM_MUTEX_WAITED);
        sim_wait(mutex, UINT64_MAX);
    }
    *held(mutex) = 1;
    return 0;
}

int sim_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (!*held(mutex))
        sim_fail("a mutex is unlocked that nobody holds");
    *held(mutex) = 0;
    sim_wake(mutex);
    sim_step("mutex unlock", 0, 0);
    return 0;
}

int sim_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    (void)cond;
    (void)attributes;
    return 0;
}

int sim_pthread_cond_destroy(pthread_cond_t *cond)
{
    (void)cond;
    return 0;
}

static int wait_for(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until)
{
    *held(mutex) = 0;
    sim_wake(mutex);
    bool woken = sim_one_in(20) || sim_wait(cond, until); /* some wake up for nothing: POSIX allows it */
    sim_pthread_mutex_lock(mutex);
    return woken ? 0 : ETIMEDOUT;
}

int sim_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    return wait_for(cond, mutex, UINT64_MAX);
}

int sim_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    return wait_for(cond, mutex, (uint64_t)until->tv_sec * SECOND + (uint64_t)until->tv_nsec);
}

int sim_pthread_cond_signal(pthread_cond_t *cond)
{
    sim_wake_one(cond);
    sim_step("signal", 0, 0);
    return 0;
}

int sim_pthread_cond_broadcast(pthread_cond_t *cond)
{
    sim_wake(cond);
    sim_step("broadcast", 0, 0);
    return 0;
}

/* The number of a thread of ours stands in for the handle. */
int sim_pthread_join(pthread_t thread, void **result)
{
    (void)result;
    sim_step("join", (uint64_t)thread, 0);
    sim_join((unsigned)thread);
    return 0;
}

int sim_pthread_once(pthread_once_t *once, void (*run)(void))
{
    if (*once == PTHREAD_ONCE_INIT) {
        *once = PTHREAD_ONCE_INIT + 1;
        run();
    }
    return 0;
}

int sim_sched_yield(void)
{
    sim_step("yield", 0, 0);
    return 0;
}

int sim_clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    sim_step("clock", 0, 0);
    uint64_t now = sim_now();
    *time = (struct timespec){.tv_sec = (time_t)(now / SECOND), .tv_nsec = (long)(now % SECOND)};
    return 0;
}
