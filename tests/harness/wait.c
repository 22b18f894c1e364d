/* SPDX-License-Identifier: MIT
 *
 * Counts share one lock and one condition variable: waits are rare, and zeros are then all a count needs.
 */
#include "wait.h"

#include "case.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved; /* on the monotonic clock */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_condition(void)
{
    pthread_condattr_t attributes;
    assert_int_equal(pthread_condattr_init(&attributes), 0);
    assert_int_equal(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), 0);
    assert_int_equal(pthread_cond_init(&moved, &attributes), 0);
    assert_int_equal(pthread_condattr_destroy(&attributes), 0);
}

uint64_t now_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t now_ms(void)
{
    return now_ns() / 1000000U;
}

void sleep_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
    while (nanosleep(&left, &left) != 0)
        assert_int_equal(errno, EINTR);
}

void count_add(struct count *count, uint64_t n)
{
    (void)pthread_once(&once, init_condition);
    (void)pthread_mutex_lock(&lock);
    count->value += n;
    (void)pthread_cond_broadcast(&moved);
    (void)pthread_mutex_unlock(&lock);
}

uint64_t count_get(struct count *count)
{
    (void)pthread_mutex_lock(&lock);
    uint64_t value = count->value;
    (void)pthread_mutex_unlock(&lock);
    return value;
}

bool count_wait_ms(struct count *count, uint64_t value, unsigned ms)
{
    (void)pthread_once(&once, init_condition);
    uint64_t end = now_ns() + (uint64_t)ms * 1000000U;
    struct timespec deadline = {.tv_sec = (time_t)(end / 1000000000U), .tv_nsec = (long)(end % 1000000000U)};
    (void)pthread_mutex_lock(&lock);
    while (count->value < value)
        if (pthread_cond_timedwait(&moved, &lock, &deadline) == ETIMEDOUT)
            break;
    bool there = count->value >= value;
    (void)pthread_mutex_unlock(&lock);
    return there;
}

void count_wait(struct count *count, uint64_t value)
{
    if (!count_wait_ms(count, value, case_patience_ms()))
        fail_msg("waited for a count of %ju, and it is still %ju", (uintmax_t)value, (uintmax_t)count_get(count));
}

void wait_until(bool (*condition)(void *arg), void *arg)
{
    uint64_t end = now_ms() + case_patience_ms();
    while (!condition(arg)) {
        if (now_ms() > end)
            fail_msg("waited in vain for a condition");
        sleep_ms(1);
    }
}
