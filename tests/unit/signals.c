/* SPDX-License-Identifier: MIT
 *
 * Signals: SIGINT and SIGTERM stop a pool that asked for them, and one that did not can be stopped from a handler.
 */
#include "case.h"
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static const ferry_pool_options handling = {.threads = 2, .handle_signals = true};

static void raise_signal(void *arg)
{
    assert_int_equal(kill(getpid(), *(int *)arg), 0);
}

static void signals_stop_the_pool(void)
{
    int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        case_row("signal %d", signals[i]);
        ferry_pool *pool = ferry_pool_new(&handling);
        assert_non_null(pool);
        ferry_post(ferry_pool_loop(pool, 1), raise_signal, &signals[i]);
        assert_int_equal(ferry_pool_run(pool), 0);
        ferry_pool_free(pool);
    }
}

static void one_pool_at_a_time_handles_them(void)
{
    ferry_pool *first = ferry_pool_new(&handling);
    assert_non_null(first);
    errno = 0;
    assert_null(ferry_pool_new(&handling));
    assert_int_equal(errno, EBUSY);
    ferry_pool *other = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(other);
    ferry_pool_free(other);
    ferry_pool_free(first);
    ferry_pool *again = ferry_pool_new(&handling);
    assert_non_null(again);
    ferry_pool_free(again);
}

static void *disposition(int number)
{
    struct sigaction action;
    assert_int_equal(sigaction(number, NULL, &action), 0);
    return (void *)(uintptr_t)action.sa_handler;
}

static void dispositions_come_back(void)
{
    void *before[] = {disposition(SIGINT), disposition(SIGTERM), disposition(SIGPIPE)};
    ferry_pool *pool = ferry_pool_new(&handling);
    assert_non_null(pool);
    ferry_pool_stop(pool);
    assert_int_equal(ferry_pool_run(pool), 0);
    ferry_pool_free(pool);
    assert_ptr_equal(disposition(SIGINT), before[0]);
    assert_ptr_equal(disposition(SIGTERM), before[1]);
    assert_ptr_equal(disposition(SIGPIPE), before[2]);
}

static ferry_pool *stopped_by_handler;

static void stop_it(int number)
{
    (void)number;
    ferry_pool_stop(stopped_by_handler);
}

static void a_handler_may_stop_a_pool(void)
{
    int number = SIGUSR1;
    struct sigaction before;
    const struct sigaction action = {.sa_handler = stop_it};
    stopped_by_handler = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(stopped_by_handler);
    assert_int_equal(sigaction(number, &action, &before), 0);
    ferry_post(ferry_pool_loop(stopped_by_handler, 0), raise_signal, &number);
    assert_int_equal(ferry_pool_run(stopped_by_handler), 0);
    assert_int_equal(sigaction(number, &before, NULL), 0);
    ferry_pool_free(stopped_by_handler);
}

/* EINTR is nobody's business but ferry's: a storm of signals changes nothing. */
static void ignore(int number)
{
    (void)number;
}

static void count_one(void *arg)
{
    count_add(arg, 1);
}

static void a_storm_of_signals_is_not_noticed(void)
{
    struct host host;
    struct count ran = {0};
    struct sigaction before;
    const struct sigaction action = {.sa_handler = ignore};
    assert_int_equal(sigaction(SIGUSR2, &action, &before), 0);
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    for (size_t i = 0; i < scale(2000); i++) {
        assert_int_equal(pthread_kill(host.thread, SIGUSR2), 0);
        ferry_post(ferry_pool_loop(host.pool, 0), count_one, &ran);
        if (i % 16 == 0)
            host_settle(&host);
    }
    host_settle(&host);
    assert_int_equal(count_get(&ran), scale(2000));
    host_stop(&host);
    assert_int_equal(sigaction(SIGUSR2, &before, NULL), 0);
}

const struct test_case test_cases[] = {
    {"signals_stop_the_pool", signals_stop_the_pool},
    {"one_pool_at_a_time_handles_them", one_pool_at_a_time_handles_them},
    {"dispositions_come_back", dispositions_come_back},
    {"a_handler_may_stop_a_pool", a_handler_may_stop_a_pool},
    {"a_storm_of_signals_is_not_noticed", a_storm_of_signals_is_not_noticed},
    {NULL, NULL},
};
