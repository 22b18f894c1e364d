/* SPDX-License-Identifier: MIT
 *
 * A hundred thousand timers at once, armed in random order: all fire, none early, in the order of their time and, where
 * that is the same, of their making.
 *
 * The loop's exact idea of a timer's time is between the clock before and after the call that made it, plus its delay.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"

#include <stdlib.h>

enum { TIMERS = 100000, SPAN_MS = 1000, CANCELLED_OF = 5 };

struct crowd {
    struct member {
        struct crowd *crowd;
        ferry_timer *timer;
        uint64_t earliest_ns, latest_ns;
        uint64_t ms;
        bool cancelled;
    } * members;
    size_t count;
    struct count fired;
    uint64_t reached_ns;          /* the greatest earliest_ns of those that fired */
    struct member *last[SPAN_MS]; /* the one that fired last, by delay */
};

static void fire(void *arg)
{
    struct member *member = arg;
    struct crowd *crowd = member->crowd;
    assert_false(member->cancelled);
    assert_true(now_ns() >= member->earliest_ns);
    assert_true(member->latest_ns >= crowd->reached_ns);
    assert_true(crowd->last[member->ms] == NULL || crowd->last[member->ms] < member);
    crowd->last[member->ms] = member;
    if (member->earliest_ns > crowd->reached_ns)
        crowd->reached_ns = member->earliest_ns;
    count_add(&crowd->fired, 1);
}

static void arm_all(void *arg)
{
    struct crowd *crowd = arg;
    uint64_t series = 11;
    for (size_t i = 0; i < crowd->count; i++) {
        struct member *member = &crowd->members[i];
        *member = (struct member){.crowd = crowd, .ms = random_below(&series, SPAN_MS)};
        member->earliest_ns = now_ns() + member->ms * 1000000U;
        member->timer = ferry_after(ferry_loop_current(), member->ms, fire, member);
        member->latest_ns = now_ns() + member->ms * 1000000U;
        assert_non_null(member->timer);
    }
    for (size_t i = 0; i < crowd->count; i += CANCELLED_OF) {
        crowd->members[i].cancelled = true;
        ferry_timer_cancel(crowd->members[i].timer);
    }
}

static void all_fire_in_order(void)
{
    struct host host;
    struct crowd crowd = {.count = scale(TIMERS / CANCELLED_OF) * CANCELLED_OF};
    ferry_loop_counters counters;
    crowd.members = calloc(crowd.count, sizeof(struct member));
    assert_non_null(crowd.members);
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    host_call(&host, 0, arm_all, &crowd);
    count_wait(&crowd.fired, crowd.count - crowd.count / CANCELLED_OF);
    host_counters(&host, 0, &counters);
    host_stop(&host);
    assert_int_equal(count_get(&crowd.fired), crowd.count - crowd.count / CANCELLED_OF);
    assert_true(counters.timers >= count_get(&crowd.fired));
    free(crowd.members);
}

const struct test_case test_cases[] = {
    {"all_fire_in_order", all_fire_in_order},
    {NULL, NULL},
};
