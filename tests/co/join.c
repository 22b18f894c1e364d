/* SPDX-License-Identifier: MIT
 *
 * Joining: whom, from where, by how many; and handles that have outlived their coroutine.
 */
#include "case.h"
#include "parked.h"

#include <errno.h>

static void nothing(void *arg)
{
    (void)arg;
}

struct target {
    ferry_co *co;
    bool done;
    int result;
};

static void linger(void *arg)
{
    struct target *target = arg;
    target->result = ferry_sleep(20);
    target->done = true;
}

static void sleep_on(void *arg)
{
    struct target *target = arg;
    target->result = ferry_sleep(3600 * 1000);
    target->done = true;
}

static void join_it(void *arg)
{
    struct target *target = arg;
    assert_int_equal(ferry_join(target->co), 0);
    assert_true(target->done);
    assert_int_equal(ferry_join(target->co), 0); /* long finished now */
}

/* From a coroutine of the same loop, of another, and from a thread. */
static void one_that_runs(void)
{
    struct host host;
    host_bare(&host, 2);
    for (unsigned i = 0; i < 3; i++) {
        struct target target = {.co = NULL};
        case_row("from %u", i);
        target.co = start(&host, 0, NULL, linger, &target);
        if (i < 2)
            run_through(&host, i, join_it, &target);
        else
            join_it(&target);
        assert_int_equal(target.result, 0);
    }
    host_stop(&host);
}

static void one_that_is_cancelled(void)
{
    struct host host;
    host_bare(&host, 2);
    for (unsigned i = 0; i < 3; i++) {
        struct target target = {.co = NULL};
        case_row("from %u", i);
        target.co = start(&host, 0, "sleeper", sleep_on, &target);
        if (i < 2) {
            ferry_co *joiner = start(&host, i, "joiner", join_it, &target);
            wait_parked(&host, "joiner", "ferry_join");
            ferry_cancel(target.co);
            assert_int_equal(ferry_join(joiner), 0);
        }
        ferry_cancel(target.co);
        join_it(&target);
        assert_int_equal(target.result, -ECANCELED);
    }
    host_stop(&host);
}

/* The joiner is cancelled, not the one it waits for. */
static void join_in_vain(void *arg)
{
    struct target *target = arg;
    assert_int_equal(ferry_join(target->co), -ECANCELED);
    assert_false(target->done);
}

static void a_cancelled_joiner_gives_up(void)
{
    struct host host;
    host_bare(&host, 2);
    for (unsigned i = 0; i < 2; i++) {
        struct target target = {.co = NULL};
        case_row("from loop %u", i);
        target.co = start(&host, 0, NULL, sleep_on, &target);
        ferry_co *joiner = start(&host, i, "joiner", join_in_vain, &target);
        wait_parked(&host, "joiner", "ferry_join");
        ferry_cancel(joiner);
        assert_int_equal(ferry_join(joiner), 0);
        ferry_cancel(target.co);
        join_it(&target);
    }
    host_stop(&host);
}

enum { JOINERS = 200, THREADS = 8 };

static void *join_on_a_thread(void *arg)
{
    join_it(arg);
    return NULL;
}

static void by_many(void)
{
    struct host host;
    struct target target = {.co = NULL};
    ferry_co *joiners[JOINERS];
    pthread_t threads[THREADS];
    host_bare(&host, 2);
    target.co = start(&host, 0, NULL, sleep_on, &target);
    for (size_t i = 0; i < JOINERS; i++)
        joiners[i] = start(&host, i % 2, "joiner", join_it, &target);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, join_on_a_thread, &target), 0);
    wait_parked_many(&host, "joiner", "ferry_join", JOINERS);
    ferry_cancel(target.co);
    for (size_t i = 0; i < JOINERS; i++)
        assert_int_equal(ferry_join(joiners[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    host_stop(&host);
}

/* Where nobody can wait. */
static void join_myself(void *arg)
{
    (void)arg;
    assert_int_equal(ferry_join(ferry_self()), -EDEADLK);
}

static void join_in_a_callback(void *arg)
{
    struct target *target = arg;
    assert_int_equal(ferry_join(target->co), target->done ? 0 : -EDEADLK);
}

static void not_itself_and_not_in_a_callback(void)
{
    struct host host;
    struct target target = {.co = NULL};
    host_bare(&host, 2);
    run_through(&host, 0, join_myself, NULL);
    target.co = start(&host, 0, NULL, sleep_on, &target);
    host_call(&host, 0, join_in_a_callback, &target);
    host_call(&host, 1, join_in_a_callback, &target);
    ferry_cancel(target.co);
    join_it(&target);
    host_call(&host, 0, join_in_a_callback, &target);
    host_call(&host, 1, join_in_a_callback, &target);
    assert_null(ferry_self());
    host_stop(&host);
}

/* Two that wait for each other: cancelling one frees both. */
static void join_the_other(void *arg)
{
    struct target *other = arg;
    other->result = ferry_join(other->co);
}

static void each_other(void)
{
    struct host host;
    struct target targets[2] = {{.result = 1}, {.result = 1}};
    host_bare(&host, 1);
    targets[0].co = start(&host, 0, "sleeper", sleep_on, &targets[0]);
    ferry_co *a = start(&host, 0, "joiner", join_the_other, &targets[0]);
    targets[1].co = a;
    ferry_co *b = start(&host, 0, "joiner", join_the_other, &targets[1]);
    wait_parked_many(&host, "joiner", "ferry_join", 2);
    ferry_cancel(targets[0].co);
    assert_int_equal(ferry_join(b), 0);
    assert_int_equal(targets[1].result, 0);
    host_stop(&host);
}

/* A handle stays the handle of its own coroutine, also when many others have run in its place. */
static void spawn_many(void *arg)
{
    const size_t *many = arg;
    for (size_t i = 0; i < *many; i++) {
        (void)ferry_spawn(ferry_loop_current(), nothing, NULL);
        if (i % 64 == 0)
            ferry_yield();
    }
}

static void stale_handles(void)
{
    struct host host;
    size_t many = scale(100) < 100 ? 10 * 1000 : 1000 * 1000; /* sanitizers make each a thread of theirs */
    ferry_co *old[100];
    host_bare(&host, 1);
    for (size_t i = 0; i < 100; i++)
        old[i] = start(&host, 0, NULL, nothing, NULL);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(ferry_join(old[i]), 0);
    run_through(&host, 0, spawn_many, &many);
    struct target target = {.co = NULL};
    target.co = start(&host, 0, "sleeper", sleep_on, &target);
    for (size_t i = 0; i < 100; i++) {
        assert_ptr_not_equal(old[i], target.co);
        assert_int_equal(ferry_join(old[i]), 0);
        ferry_cancel(old[i]);
    }
    wait_parked(&host, "sleeper", "ferry_sleep");
    assert_false(target.done);
    ferry_cancel(target.co);
    join_it(&target);
    host_stop(&host);
    assert_int_equal(ferry_join(old[0]), 0); /* the pool is gone, too */
    ferry_cancel(old[0]);
    assert_int_equal(ferry_join(NULL), 0); /* what is no handle is no coroutine that runs */
    ferry_cancel(NULL);
}

const struct test_case test_cases[] = {
    {"one_that_runs", one_that_runs},
    {"one_that_is_cancelled", one_that_is_cancelled},
    {"a_cancelled_joiner_gives_up", a_cancelled_joiner_gives_up},
    {"by_many", by_many},
    {"not_itself_and_not_in_a_callback", not_itself_and_not_in_a_callback},
    {"each_other", each_other},
    {"stale_handles", stale_handles},
    {NULL, NULL},
};
