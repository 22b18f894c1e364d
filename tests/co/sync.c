/* SPDX-License-Identifier: MIT
 *
 * Waiting for each other: wait groups, mutexes and conditions. Channels and offloading have files of their own.
 */
#include "case.h"
#include "parked.h"

#include <errno.h>
#include <stdatomic.h>

enum { MANY = 100, THREADS = 4 };

/* Wait groups. */

struct gathering {
    struct host host;
    ferry_wait_group *group;
    atomic_uint done, woken;
};

static void be_done(void *arg)
{
    struct gathering *g = arg;
    assert_int_equal(ferry_sleep(1), 0);
    atomic_fetch_add(&g->done, 1);
    ferry_wait_group_done(g->group);
}

static void wait_for_all(void *arg)
{
    struct gathering *g = arg;
    assert_int_equal(ferry_wait_group_wait(g->group), 0);
    assert_int_equal(atomic_load(&g->done), MANY);
    atomic_fetch_add(&g->woken, 1);
}

static void *wait_on_a_thread(void *arg)
{
    wait_for_all(arg);
    return NULL;
}

static void a_wait_group_wakes_all_at_zero(void)
{
    static struct gathering g;
    pthread_t threads[THREADS];
    ferry_co *waiters[MANY];
    g = (struct gathering){.group = ferry_wait_group_new()};
    host_bare(&g.host, 2);
    assert_int_equal(ferry_wait_group_wait(g.group), 0); /* nothing is under way */
    ferry_wait_group_add(g.group, MANY);
    for (unsigned i = 0; i < MANY; i++)
        waiters[i] = start(&g.host, i % 2, "waiter", wait_for_all, &g);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_on_a_thread, &g), 0);
    wait_parked_many(&g.host, "waiter", "ferry_wait_group_wait", MANY);
    for (unsigned i = 0; i < MANY; i++)
        (void)start(&g.host, i % 2, NULL, be_done, &g);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ferry_join(waiters[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&g.woken), MANY + THREADS);
    host_stop(&g.host);
    ferry_wait_group_free(g.group);
    ferry_wait_group_free(NULL);
}

static void wait_in_a_callback(void *arg)
{
    assert_int_equal(ferry_wait_group_wait(arg), -EDEADLK);
}

static void a_callback_cannot_wait(void)
{
    struct host host;
    ferry_wait_group *group = ferry_wait_group_new();
    host_bare(&host, 1);
    ferry_wait_group_add(group, 1);
    host_call(&host, 0, wait_in_a_callback, group);
    ferry_wait_group_done(group);
    host_stop(&host);
    ferry_wait_group_free(group);
}

/* Mutexes: first come, first served, and nobody else is inside meanwhile. */
struct queue {
    ferry_mutex *mutex;
    unsigned came, served;
    bool inside;
};

static void take_a_turn(void *arg)
{
    struct queue *q = arg;
    unsigned number = q->came++;
    assert_int_equal(ferry_mutex_lock(q->mutex), 0);
    assert_false(q->inside);
    q->inside = true;
    assert_int_equal(q->served++, number);
    if (number % 3 == 0)
        ferry_yield();
    else if (number % 3 == 1)
        assert_int_equal(ferry_sleep(0), 0);
    q->inside = false;
    ferry_mutex_unlock(q->mutex);
}

static void a_mutex_is_first_come_first_served(void)
{
    struct host host;
    struct queue q = {.mutex = ferry_mutex_new()};
    ferry_co *cos[MANY];
    host_bare(&host, 1);
    for (size_t i = 0; i < MANY; i++)
        cos[i] = start(&host, 0, NULL, take_a_turn, &q);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    assert_int_equal(q.served, MANY);
    host_stop(&host);
    ferry_mutex_free(q.mutex);
}

/* One that unlocks and locks again stands behind those who wait. */
static void take_it_back(void *arg)
{
    struct queue *q = arg;
    assert_int_equal(ferry_mutex_lock(q->mutex), 0);
    while (q->came < 3)
        ferry_yield();
    ferry_mutex_unlock(q->mutex);
    assert_int_equal(ferry_mutex_lock(q->mutex), 0);
    assert_int_equal(q->served, 3);
    ferry_mutex_unlock(q->mutex);
}

static void unlocking_gives_it_away(void)
{
    struct host host;
    struct queue q = {.mutex = ferry_mutex_new()};
    ferry_co *cos[3];
    host_bare(&host, 1);
    ferry_co *greedy = start(&host, 0, NULL, take_it_back, &q);
    for (size_t i = 0; i < 3; i++)
        cos[i] = start(&host, 0, NULL, take_a_turn, &q);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    assert_int_equal(ferry_join(greedy), 0);
    host_stop(&host);
    ferry_mutex_free(q.mutex);
}

/* One in the middle of the queue is cancelled: those before and behind it have their turns. */
struct line {
    ferry_mutex *mutex;
    unsigned served;
    int failed;
    bool release;
};

static void hold_it(void *arg)
{
    struct line *line = arg;
    assert_int_equal(ferry_mutex_lock(line->mutex), 0);
    while (!line->release)
        assert_int_equal(ferry_sleep(0), 0);
    ferry_mutex_unlock(line->mutex);
}

static void stand_in_line(void *arg)
{
    struct line *line = arg;
    int result = ferry_mutex_lock(line->mutex);
    if (result < 0) {
        line->failed = result;
        return;
    }
    line->served++;
    ferry_mutex_unlock(line->mutex);
}

static void let_go(void *arg)
{
    ((struct line *)arg)->release = true;
}

static void one_leaves_the_queue(void)
{
    struct host host;
    struct line line = {.mutex = ferry_mutex_new()};
    ferry_co *cos[5];
    host_bare(&host, 1);
    ferry_co *holder = start(&host, 0, NULL, hold_it, &line);
    for (size_t i = 0; i < 5; i++)
        cos[i] = start(&host, 0, "waiter", stand_in_line, &line);
    wait_parked_many(&host, "waiter", "ferry_mutex_lock", 5);
    ferry_cancel(cos[2]);
    assert_int_equal(ferry_join(cos[2]), 0);
    assert_int_equal(line.failed, -ECANCELED);
    host_call(&host, 0, let_go, &line);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    assert_int_equal(ferry_join(holder), 0);
    assert_int_equal(line.served, 4);
    host_stop(&host);
    ferry_mutex_free(line.mutex);
}

/* Conditions. */
struct post {
    ferry_mutex *mutex;
    ferry_cond *cond;
    unsigned waiting, woken;
    unsigned order[MANY]; /* who woke when */
};

struct waiter {
    struct post *post;
    unsigned number;
};

static void wait_for_post(void *arg)
{
    const struct waiter *waiter = arg;
    struct post *post = waiter->post;
    assert_int_equal(ferry_mutex_lock(post->mutex), 0);
    post->waiting++;
    assert_int_equal(ferry_cond_wait(post->cond, post->mutex), 0);
    post->order[post->woken++] = waiter->number;
    ferry_mutex_unlock(post->mutex);
}

static void signal_one(void *arg)
{
    struct post *post = arg;
    unsigned before = post->woken;
    ferry_cond_signal(post->cond);
    for (size_t i = 0; i < 5; i++)
        ferry_yield();
    assert_int_equal(post->woken, before + 1);
}

static void broadcast(void *arg)
{
    struct post *post = arg;
    ferry_cond_broadcast(post->cond);
    ferry_cond_broadcast(post->cond); /* nobody is left to wake */
    ferry_cond_signal(post->cond);
}

static void a_condition_wakes_one_or_all(void)
{
    struct host host;
    struct post post = {.mutex = ferry_mutex_new(), .cond = ferry_cond_new()};
    struct waiter waiters[MANY];
    ferry_co *cos[MANY];
    host_bare(&host, 1);
    for (unsigned i = 0; i < MANY; i++) {
        waiters[i] = (struct waiter){&post, i};
        cos[i] = start(&host, 0, "waiter", wait_for_post, &waiters[i]);
    }
    wait_parked_many(&host, "waiter", "ferry_cond_wait", MANY);
    for (unsigned i = 0; i < 3; i++) {
        run_through(&host, 0, signal_one, &post);
        assert_int_equal(ferry_join(cos[i]), 0); /* who has waited longest */
    }
    host_call(&host, 0, broadcast, &post); /* signalling does not park: a callback may */
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(post.order[i], i);
    host_stop(&host);
    ferry_cond_free(post.cond);
    ferry_mutex_free(post.mutex);
}

/* Cancelled while another has the mutex: it is had again before the wait returns. */
struct firm {
    ferry_mutex *mutex;
    ferry_cond *cond;
    bool held, release;
    int result;
};

static void wait_firmly(void *arg)
{
    struct firm *firm = arg;
    assert_int_equal(ferry_mutex_lock(firm->mutex), 0);
    firm->result = ferry_cond_wait(firm->cond, firm->mutex);
    assert_false(firm->held);
    ferry_mutex_unlock(firm->mutex);
}

static void keep_mutex(void *arg)
{
    struct firm *firm = arg;
    assert_int_equal(ferry_mutex_lock(firm->mutex), 0);
    firm->held = true;
    while (!firm->release)
        assert_int_equal(ferry_sleep(0), 0);
    firm->held = false;
    ferry_mutex_unlock(firm->mutex);
}

static void release_mutex(void *arg)
{
    ((struct firm *)arg)->release = true;
}

static void none_may_be_freed(void)
{
    ferry_wait_group_free(NULL);
    ferry_mutex_free(NULL);
    ferry_cond_free(NULL);
}

static void a_cancelled_wait_has_the_mutex_again(void)
{
    struct host host;
    struct firm firm = {.mutex = ferry_mutex_new(), .cond = ferry_cond_new(), .result = 1};
    host_bare(&host, 1);
    ferry_co *waiter = start(&host, 0, "waiter", wait_firmly, &firm);
    wait_parked(&host, "waiter", "ferry_cond_wait");
    ferry_co *keeper = start(&host, 0, "keeper", keep_mutex, &firm);
    host_settle(&host);
    host_settle(&host);
    ferry_cancel(waiter);
    host_settle(&host);
    ferry_cancel(waiter);
    host_settle(&host);
    wait_parked(&host, "waiter", "ferry_cond_wait"); /* it cannot return yet */
    host_call(&host, 0, release_mutex, &firm);
    assert_int_equal(ferry_join(waiter), 0);
    assert_int_equal(ferry_join(keeper), 0);
    assert_int_equal(firm.result, -ECANCELED);
    host_stop(&host);
    ferry_cond_free(firm.cond);
    ferry_mutex_free(firm.mutex);
}

const struct test_case test_cases[] = {
    {"a_wait_group_wakes_all_at_zero", a_wait_group_wakes_all_at_zero},
    {"a_callback_cannot_wait", a_callback_cannot_wait},
    {"a_mutex_is_first_come_first_served", a_mutex_is_first_come_first_served},
    {"unlocking_gives_it_away", unlocking_gives_it_away},
    {"one_leaves_the_queue", one_leaves_the_queue},
    {"a_condition_wakes_one_or_all", a_condition_wakes_one_or_all},
    {"a_cancelled_wait_has_the_mutex_again", a_cancelled_wait_has_the_mutex_again},
    {"none_may_be_freed", none_may_be_freed},
    {NULL, NULL},
};
