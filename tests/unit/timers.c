/* SPDX-License-Identifier: MIT
 *
 * Timers, a few at a time: never early, once or on the beat, cancelled from anywhere.
 */
#include "case.h"
#include "host.h"
#include "inside.h"
#include "pattern.h"

#include <stdlib.h>

struct shot {
    uint64_t due_ns; /* it may not fire before */
    struct count fired;
};

static void fire(void *arg)
{
    struct shot *shot = arg;
    assert_false(inside_call());
    assert_non_null(ferry_loop_current());
    assert_true(now_ns() >= shot->due_ns);
    count_add(&shot->fired, 1);
}

/* `shot` is zeros: somebody may be waiting for it already. */
static void arm(struct shot *shot, ferry_loop *loop, uint64_t ms)
{
    shot->due_ns = now_ns() + ms * 1000000U;
    assert_non_null(ferry_after(loop, ms, fire, shot));
}

static void start_loops(struct host *host, unsigned threads)
{
    host_init(host, NULL);
    host_run(host, NULL, &(ferry_pool_options){.threads = threads});
}

static void one_shot_fires_once_and_not_early(void)
{
    static const uint64_t delays[] = {0, 1, 2, 5, 10, 30, 31, 100};
    enum { COUNT = sizeof delays / sizeof delays[0] };
    struct host host;
    struct shot shots[COUNT] = {{0}};
    start_loops(&host, 1);
    for (size_t i = 0; i < COUNT; i++)
        arm(&shots[i], ferry_pool_loop(host.pool, 0), delays[i]);
    for (size_t i = 0; i < COUNT; i++)
        count_wait(&shots[i].fired, 1);
    host_settle(&host);
    host_stop(&host);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(count_get(&shots[i].fired), 1);
}

static void arm_late_in_the_turn(void *arg)
{
    sleep_ms(30); /* the loop's own idea of the time is old now */
    arm(arg, ferry_loop_current(), 20);
}

static void time_counts_from_the_call_not_from_the_turn(void)
{
    struct host host;
    struct shot shot = {0};
    start_loops(&host, 1);
    host_call(&host, 0, arm_late_in_the_turn, &shot);
    count_wait(&shot.fired, 1);
    host_stop(&host);
}

struct beat {
    ferry_timer *timer;
    uint64_t start_ns, armed_ns; /* the first beat is a period after something between these */
    uint64_t end_ns;             /* of the last firing; 0 before the first */
    struct count kept;           /* a firing came less than a period after the end of the last */
};

enum { PERIOD_NS = 10 * 1000000 };

/* Lasts until half a period after the third beat from its own. */
static void be_late(void *arg)
{
    struct beat *beat = arg;
    uint64_t now = now_ns();
    uint64_t missed = beat->end_ns != 0 ? (beat->end_ns - beat->armed_ns) / PERIOD_NS : 0;
    assert_true(now >= beat->start_ns + (missed + 1) * PERIOD_NS);
    if (beat->end_ns != 0 && now - beat->end_ns < PERIOD_NS * 8 / 10) {
        ferry_timer_cancel(beat->timer);
        count_add(&beat->kept, 1);
    }
    sleep_ms(35);
    beat->end_ns = now_ns();
}

static void start_beat(void *arg)
{
    struct beat *beat = arg;
    beat->start_ns = now_ns();
    beat->timer = ferry_every(ferry_loop_current(), PERIOD_NS / 1000000, be_late, beat);
    assert_non_null(beat->timer);
    beat->armed_ns = now_ns();
}

/* A firing that lasts over some beats is followed by one on the next beat: not at once, and not a period later. */
static void periodic_keeps_its_beat(void)
{
    struct host host;
    struct beat beat = {.timer = NULL};
    start_loops(&host, 1);
    host_call(&host, 0, start_beat, &beat);
    count_wait(&beat.kept, 1);
    host_settle(&host);
    host_stop(&host);
}

struct cancelling {
    ferry_timer *timer;
    size_t firings;
    struct shot after;
};

static void cancel_at_the_third(void *arg)
{
    struct cancelling *state = arg;
    assert_in_range(++state->firings, 1, 3);
    if (state->firings == 3) {
        ferry_timer_cancel(state->timer);
        arm(&state->after, ferry_loop_current(), 20);
    }
}

static void begin_cancelling(void *arg)
{
    struct cancelling *state = arg;
    state->timer = ferry_every(ferry_loop_current(), 1, cancel_at_the_third, state);
}

static void periodic_is_cancelled_inside_its_own_callback(void)
{
    struct host host;
    struct cancelling state = {.timer = NULL};
    start_loops(&host, 1);
    host_call(&host, 0, begin_cancelling, &state);
    count_wait(&state.after.fired, 1);
    host_stop(&host);
    assert_int_equal(state.firings, 3);
}

struct pair {
    ferry_timer *other; /* the one to cancel, due in the same turn */
    ferry_timer *own;
    struct count fired;
};

static void cancel_the_other(void *arg)
{
    struct pair *pair = arg;
    count_add(&pair->fired, 1);
    ferry_timer_cancel(pair->other);
}

static void never(void *arg)
{
    (void)arg;
    fail_msg("a cancelled timer fired");
}

static void cancel_own(void *arg)
{
    struct pair *pair = arg;
    count_add(&pair->fired, 1);
    ferry_timer_cancel(pair->own);
}

static void arm_pair(void *arg)
{
    struct pair *pair = arg;
    ferry_loop *loop = ferry_loop_current();
    assert_non_null(ferry_after(loop, 5, cancel_the_other, pair));
    pair->own = ferry_after(loop, 5, cancel_own, pair);
    pair->other = ferry_after(loop, 5, never, pair);
    sleep_ms(10); /* all are due when the turn ends */
}

static void cancels_another_that_is_due_in_the_same_turn(void)
{
    struct host host;
    struct pair pair = {.other = NULL};
    start_loops(&host, 1);
    host_call(&host, 0, arm_pair, &pair);
    count_wait(&pair.fired, 2);
    host_settle(&host);
    host_stop(&host);
}

static void arm_and_cancel(void *arg)
{
    (void)arg;
    for (uint64_t ms = 0; ms < 50; ms++)
        ferry_timer_cancel(ferry_after(ferry_loop_current(), ms, never, NULL));
    ferry_timer_cancel(NULL);
}

static void cancelled_before_it_fires(void)
{
    struct host host;
    struct shot shot = {0};
    start_loops(&host, 1);
    host_call(&host, 0, arm_and_cancel, NULL);
    arm(&shot, ferry_pool_loop(host.pool, 0), 60);
    count_wait(&shot.fired, 1);
    host_stop(&host);
}

struct armer {
    struct host *host;
    struct shot *shots;
    size_t count;
    uint64_t series;
    pthread_t thread;
};

static void *arm_many(void *arg)
{
    struct armer *armer = arg;
    unsigned loops = ferry_pool_size(armer->host->pool);
    for (size_t i = 0; i < armer->count; i++) {
        ferry_loop *loop = ferry_pool_loop(armer->host->pool, (unsigned)(i % loops));
        arm(&armer->shots[i], loop, random_below(&armer->series, 20));
        ferry_timer *hour = ferry_after(loop, 3600 * 1000, never, NULL);
        assert_non_null(hour);
        ferry_timer_cancel(hour);
    }
    for (size_t i = 0; i < armer->count; i++)
        count_wait(&armer->shots[i].fired, 1);
    return NULL;
}

static void armed_and_cancelled_by_other_threads(void)
{
    enum { THREADS = 8 };
    struct host host;
    struct armer armers[THREADS];
    start_loops(&host, 2);
    for (size_t i = 0; i < THREADS; i++) {
        size_t count = scale(500);
        armers[i] = (struct armer){.host = &host, .count = count, .series = i * 1000};
        armers[i].shots = calloc(count, sizeof(struct shot));
        assert_non_null(armers[i].shots);
        assert_int_equal(pthread_create(&armers[i].thread, NULL, arm_many, &armers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(armers[i].thread, NULL), 0);
        free(armers[i].shots);
    }
    host_stop(&host);
}

static void count_firing(void *arg)
{
    count_add(arg, 1);
}

static void periodic_is_cancelled_by_another_thread(void)
{
    struct host host;
    struct count firings = {0};
    struct shot shot = {0};
    start_loops(&host, 1);
    ferry_timer *timer = ferry_every(ferry_pool_loop(host.pool, 0), 1, count_firing, &firings);
    assert_non_null(timer);
    count_wait(&firings, 3);
    ferry_timer_cancel(timer);
    uint64_t then = count_get(&firings);
    arm(&shot, ferry_pool_loop(host.pool, 0), 30);
    count_wait(&shot.fired, 1);
    assert_in_range(count_get(&firings), then, then + 1);
    host_stop(&host);
}

struct chain {
    struct count links;
    bool stopped;
};

static void rearm(void *arg)
{
    struct chain *chain = arg;
    assert_false(inside_call());
    count_add(&chain->links, 1);
    if (!chain->stopped)
        assert_non_null(ferry_after(ferry_loop_current(), 0, rearm, chain));
}

static void stop_chain(void *arg)
{
    ((struct chain *)arg)->stopped = true;
}

/* A timer of no time that arms itself again leaves room for the rest of the loop's work. */
static void timer_of_no_time_starves_nobody(void)
{
    struct host host;
    struct chain chain = {.stopped = false};
    start_loops(&host, 1);
    host_call(&host, 0, rearm, &chain);
    count_wait(&chain.links, 100);
    host_call(&host, 0, stop_chain, &chain);
    host_settle(&host);
    host_stop(&host);
}

/* Due, and cancelled by another thread before the loop has come to it: that is held from before they can be due. */
struct held {
    ferry_timer *timer, *beat;
    struct count holding, told;
};

static void arm_and_hold(void *arg)
{
    struct held *held = arg;
    held->timer = ferry_after(ferry_loop_current(), 10, never, NULL);
    held->beat = ferry_every(ferry_loop_current(), 10, never, NULL);
    count_add(&held->holding, 1);
    count_wait(&held->told, 1);
}

static void cancelled_by_another_thread_when_it_is_due(void)
{
    struct host host;
    struct held held = {0};
    start_loops(&host, 1);
    ferry_post(ferry_pool_loop(host.pool, 0), arm_and_hold, &held);
    count_wait(&held.holding, 1);
    sleep_ms(15);
    ferry_timer_cancel(held.timer);
    ferry_timer_cancel(held.beat);
    ferry_timer_cancel(held.beat); /* twice is once */
    ferry_timer_cancel(NULL);
    count_add(&held.told, 1);
    host_settle(&host);
    host_stop(&host);
}

/* A beat of nothing is one of a millisecond: the loop has time for others. */
static void a_beat_of_nothing_is_a_millisecond(void)
{
    struct host host;
    struct count beats = {0};
    ferry_loop_counters counters;
    start_loops(&host, 1);
    uint64_t begin = now_ms();
    ferry_timer *timer = ferry_every(ferry_pool_loop(host.pool, 0), 0, count_firing, &beats);
    count_wait(&beats, 20);
    host_counters(&host, 0, &counters);
    assert_true(counters.timers <= now_ms() - begin + 1);
    ferry_timer_cancel(timer);
    host_stop(&host);
}

static void huge_times_do_not_wrap(void)
{
    static const uint64_t delays[] = {UINT64_MAX, UINT64_MAX / 1000, UINT64_MAX / 1000000 + 1, INT64_MAX, UINT32_MAX};
    struct host host;
    struct shot shot = {0};
    start_loops(&host, 1);
    for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++)
        assert_non_null(ferry_after(ferry_pool_loop(host.pool, 0), delays[i], never, NULL));
    assert_non_null(ferry_every(ferry_pool_loop(host.pool, 0), UINT64_MAX, never, NULL));
    arm(&shot, ferry_pool_loop(host.pool, 0), 30);
    count_wait(&shot.fired, 1);
    host_stop(&host); /* and what has not fired is freed with the pool */
}

const struct test_case test_cases[] = {
    {"one_shot_fires_once_and_not_early", one_shot_fires_once_and_not_early},
    {"time_counts_from_the_call_not_from_the_turn", time_counts_from_the_call_not_from_the_turn},
    {"periodic_keeps_its_beat", periodic_keeps_its_beat},
    {"periodic_is_cancelled_inside_its_own_callback", periodic_is_cancelled_inside_its_own_callback},
    {"cancels_another_that_is_due_in_the_same_turn", cancels_another_that_is_due_in_the_same_turn},
    {"cancelled_before_it_fires", cancelled_before_it_fires},
    {"armed_and_cancelled_by_other_threads", armed_and_cancelled_by_other_threads},
    {"periodic_is_cancelled_by_another_thread", periodic_is_cancelled_by_another_thread},
    {"timer_of_no_time_starves_nobody", timer_of_no_time_starves_nobody},
    {"huge_times_do_not_wrap", huge_times_do_not_wrap},
    {"cancelled_by_another_thread_when_it_is_due", cancelled_by_another_thread_when_it_is_due},
    {"a_beat_of_nothing_is_a_millisecond", a_beat_of_nothing_is_a_millisecond},
    {NULL, NULL},
};
