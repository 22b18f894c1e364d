/* SPDX-License-Identifier: MIT
 *
 * Spawning: from any thread, many at once, many one after the other; stacks; what a switch keeps.
 */
#include "case.h"
#include "parked.h"

#include <errno.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { THREADS = 8 };

struct tally {
    struct host host;
    size_t each;
    ferry_wait_group *group;
    atomic_size_t ran;
};

static void tick(void *arg)
{
    struct tally *tally = arg;
    assert_non_null(ferry_self());
    atomic_fetch_add(&tally->ran, 1);
    ferry_wait_group_done(tally->group);
}

static void *spawn_on_a_thread(void *arg)
{
    struct tally *tally = arg;
    for (size_t i = 0; i < tally->each; i++)
        assert_non_null(ferry_spawn(ferry_pool_loop(tally->host.pool, i % 2), tick, tally));
    return NULL;
}

/* Sanitizers make each coroutine a thread of theirs: dear to begin, and a few thousand at a time at most. */
static size_t few_when_slow(size_t n, size_t few)
{
    return scale(n) < n ? few : n;
}

static void from_many_threads(void)
{
    static struct tally tally;
    pthread_t threads[THREADS];
    tally = (struct tally){.each = few_when_slow(10000, 300), .group = ferry_wait_group_new()};
    host_bare(&tally.host, 2);
    ferry_wait_group_add(tally.group, (unsigned)(THREADS * tally.each));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, spawn_on_a_thread, &tally), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(ferry_wait_group_wait(tally.group), 0);
    assert_int_equal(atomic_load(&tally.ran), THREADS * tally.each);
    host_stop(&tally.host);
    ferry_wait_group_free(tally.group);
}

/* It never runs inside the call; those of one thread begin in their order. */
struct order {
    unsigned begun;
    bool spawning;
};

static void note(void *arg)
{
    struct order *order = arg;
    assert_false(order->spawning);
    order->begun++;
}

static void spawn_in_a_row(void *arg)
{
    struct order *order = arg;
    order->spawning = true;
    for (unsigned i = 0; i < 10; i++)
        assert_non_null(ferry_spawn(ferry_loop_current(), note, order));
    order->spawning = false;
    ferry_yield();
    assert_int_equal(order->begun, 10);
    assert_int_equal(ferry_sleep(0), 0);
}

static void never_inside_the_call(void)
{
    struct host host;
    struct order order = {0};
    host_bare(&host, 1);
    run_through(&host, 0, spawn_in_a_row, &order);
    host_stop(&host);
}

/* Spawned before the pool runs: they run when it does. */
static void before_the_pool_runs(void)
{
    struct tally tally = {.group = ferry_wait_group_new()};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    ferry_wait_group_add(tally.group, 10);
    for (size_t i = 0; i < 10; i++)
        assert_non_null(ferry_spawn(ferry_pool_loop(pool, 0), tick, &tally));
    ferry_pool_stop(pool);
    assert_int_equal(ferry_pool_run(pool), 0);
    assert_int_equal(atomic_load(&tally.ran), 10);
    ferry_pool_free(pool);
    ferry_wait_group_free(tally.group);
}

/* And in a pool that never runs, when it is freed. */
static void in_a_pool_that_never_runs(void)
{
    struct tally tally = {.group = ferry_wait_group_new()};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(pool);
    ferry_wait_group_add(tally.group, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_non_null(ferry_spawn(ferry_pool_loop(pool, i % 2), tick, &tally));
    ferry_pool_free(pool);
    assert_int_equal(atomic_load(&tally.ran), 10);
    ferry_wait_group_free(tally.group);
}

/* All alive at once. */
static void park_in_group(void *arg)
{
    struct tally *tally = arg;
    atomic_fetch_add(&tally->ran, 1);
    assert_int_equal(ferry_wait_group_wait(tally->group), 0);
    atomic_fetch_sub(&tally->ran, 1);
}

static bool all_run(void *arg)
{
    struct tally *tally = arg;
    return atomic_load(&tally->ran) == tally->each;
}

static bool none_runs(void *arg)
{
    struct tally *tally = arg;
    return atomic_load(&tally->ran) == 0;
}

static void very_many_alive(void)
{
    static struct tally tally;
    ferry_loop_counters counters;
    tally = (struct tally){.each = few_when_slow(100000, 4000), .group = ferry_wait_group_new()};
    host_bare(&tally.host, 1);
    ferry_wait_group_add(tally.group, 1);
    for (size_t i = 0; i < tally.each; i++)
        assert_non_null(ferry_spawn(ferry_pool_loop(tally.host.pool, 0), park_in_group, &tally));
    wait_until(all_run, &tally);
    host_counters(&tally.host, 0, &counters);
    assert_int_equal(counters.coroutines, tally.each);
    ferry_wait_group_done(tally.group);
    wait_until(none_runs, &tally);
    host_settle(&tally.host);
    host_counters(&tally.host, 0, &counters);
    assert_int_equal(counters.coroutines, 0);
    host_stop(&tally.host);
    ferry_wait_group_free(tally.group);
}

/* One after the other: the memory of one serves the next. */
static void touch_stack(void *arg)
{
    volatile char bytes[8000];
    bytes[0] = 1;
    bytes[sizeof bytes - 1] = 2;
    ++*(size_t *)arg;
}

static void spawn_and_finish(size_t rounds)
{
    size_t finished = 0;
    for (size_t i = 0; i < rounds; i++) {
        for (size_t k = 0; k < 100; k++)
            assert_non_null(ferry_spawn(ferry_loop_current(), touch_stack, &finished));
        while (finished < (i + 1) * 100)
            ferry_yield();
    }
}

static void spawn_a_million(void *arg)
{
    size_t rounds = few_when_slow(10000, 100);
    (void)arg;
    spawn_and_finish(rounds / 10 + 1);
    size_t before = case_resident();
    spawn_and_finish(rounds);
    size_t after = case_resident();
    assert_true(after < before + 16 * 1024 * 1024);
}

static void a_million_in_flat_memory(void)
{
    struct host host;
    host_bare(&host, 1);
    run_through(&host, 0, spawn_a_million, NULL);
    host_stop(&host);
}

/* As much stack as was asked for. */
static size_t deep(size_t levels)
{
    volatile char frame[4096];
    frame[0] = (char)levels;
    return levels == 0 ? 0 : deep(levels - 1) + (frame[0] == (char)levels);
}

static void go_deep(void *arg)
{
    size_t levels = *(size_t *)arg;
    assert_int_equal(deep(levels), levels);
}

static void touch_nothing(void *arg)
{
    (void)arg;
}

static void stacks_of_any_size(void)
{
    static const size_t sizes[] = {0, 1, 16 * 1024, 100 * 1000, 256 * 1024, 8 * 1024 * 1024};
    struct host host;
    host_bare(&host, 1);
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            case_row("%zu bytes", sizes[i]);
            size_t size = sizes[i] != 0 ? sizes[i] : 64 * 1024;
            size_t levels = size > 32 * 1024 ? (size - 24 * 1024) / (2 * 4096) : 0;
            ferry_co *co = ferry_spawn_as(ferry_pool_loop(host.pool, 0), levels > 0 ? go_deep : touch_nothing, &levels,
                                          &(ferry_spawn_options){.stack_size = sizes[i]});
            assert_non_null(co);
            assert_int_equal(ferry_join(co), 0);
        }
    host_stop(&host);
}

/* Each has its own rounding mode, and the loop another; values live across a switch. */
struct rounding {
    int mode;
    double expected;
};

static double third(void)
{
    volatile double one = 1.0;
    volatile double three = 3.0;
    return one / three;
}

static void round_its_own_way(void *arg)
{
    const struct rounding *rounding = arg;
    assert_int_equal(fegetround(), FE_TONEAREST);
    assert_int_equal(fesetround(rounding->mode), 0);
    for (size_t i = 0; i < 100; i++) {
        ferry_yield();
        assert_int_equal(fegetround(), rounding->mode);
        assert_true(third() == rounding->expected);
    }
}

static void expect_nearest(void *arg)
{
    (void)arg;
    assert_int_equal(fegetround(), FE_TONEAREST);
}

static void a_rounding_mode_is_its_coroutines(void)
{
    static struct rounding roundings[] = {{FE_UPWARD, 0}, {FE_DOWNWARD, 0}, {FE_TOWARDZERO, 0}, {FE_TONEAREST, 0}};
    struct host host;
    ferry_co *cos[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(fesetround(roundings[i].mode), 0);
        roundings[i].expected = third();
    }
    host_bare(&host, 1);
    for (size_t i = 0; i < 4; i++)
        cos[i] = start(&host, 0, NULL, round_its_own_way, &roundings[i]);
    for (size_t i = 0; i < 50; i++)
        host_call(&host, 0, expect_nearest, NULL);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    host_call(&host, 0, expect_nearest, NULL);
    host_stop(&host);
}

/* More values than there are registers to hold them, all in use on both sides of each switch. */
static void keep_values(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    uint64_t a = seed, b = seed + 1, c = seed + 2, d = seed + 3, e = seed + 4, f = seed + 5, g = seed + 6, h = seed + 7;
    double x = (double)seed, y = x + 0.5, z = x + 0.25;
    for (uint64_t i = 1; i <= 1000; i++) {
        ferry_yield();
        a += 1, b += 2, c += 3, d += 4, e += 5, f += 6, g += 7, h += 8;
        x += 1, y += 2, z += 4;
        assert_true(a + b + c + d + e + f + g + h == 8 * seed + 28 + 36 * i);
        assert_true(x + y + z == 3 * (double)seed + 0.75 + 7 * (double)i);
    }
}

static void values_live_across_switches(void)
{
    struct host host;
    ferry_co *cos[16];
    host_bare(&host, 1);
    for (size_t i = 0; i < 16; i++)
        cos[i] = start(&host, 0, NULL, keep_values, (void *)(uintptr_t)(1000 * i + 17));
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"from_many_threads", from_many_threads},
    {"never_inside_the_call", never_inside_the_call},
    {"before_the_pool_runs", before_the_pool_runs},
    {"in_a_pool_that_never_runs", in_a_pool_that_never_runs},
    {"very_many_alive", very_many_alive},
    {"a_million_in_flat_memory", a_million_in_flat_memory},
    {"stacks_of_any_size", stacks_of_any_size},
    {"a_rounding_mode_is_its_coroutines", a_rounding_mode_is_its_coroutines},
    {"values_live_across_switches", values_live_across_switches},
    {NULL, NULL},
};
