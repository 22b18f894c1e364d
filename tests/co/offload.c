/* SPDX-License-Identifier: MIT
 *
 * Work on worker threads: from coroutines and from callbacks; more of it than there are threads; a pool that stops
 * meanwhile.
 */
#include "case.h"
#include "parked.h"

#include <errno.h>
#include <stdatomic.h>

enum { MANY = 100 };

struct work {
    struct count begun, let_go;
    pthread_t here, there;
    bool worked;
    int result;
};

static void work(void *arg)
{
    struct work *w = arg;
    assert_null(ferry_self());
    assert_null(ferry_loop_current());
    w->there = pthread_self();
    count_add(&w->begun, 1);
    count_wait(&w->let_go, 1);
    w->worked = true;
}

static void offload(void *arg)
{
    struct work *w = arg;
    ferry_co *self = ferry_self();
    w->here = pthread_self();
    w->result = ferry_offload(work, w);
    assert_true(w->worked);
    assert_ptr_equal(ferry_self(), self);
    assert_true(pthread_equal(pthread_self(), w->here));
}

/* The loop goes on: it is asked things while the work blocks. */
static void on_another_thread(void)
{
    struct host host;
    struct work w = {.result = 1};
    host_bare(&host, 1);
    ferry_co *co = start(&host, 0, "worker", offload, &w);
    count_wait(&w.begun, 1);
    wait_parked(&host, "worker", "ferry_offload");
    for (size_t i = 0; i < 10; i++)
        host_settle(&host);
    count_add(&w.let_go, 1);
    assert_int_equal(ferry_join(co), 0);
    assert_int_equal(w.result, 0);
    assert_false(pthread_equal(w.here, w.there));
    host_stop(&host);
}

/* Each of many is done once, however few threads there are. */
struct heap {
    atomic_uint worked, done;
    struct count dones;
    ferry_loop *loop;
};

static void dig(void *arg)
{
    atomic_fetch_add(&((struct heap *)arg)->worked, 1);
}

static void dig_by_offload(void *arg)
{
    struct heap *heap = arg;
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(ferry_offload(dig, heap), 0);
    atomic_fetch_add(&heap->done, 1);
}

static void more_than_there_are_threads(void)
{
    struct host host;
    struct heap heap = {.loop = NULL};
    ferry_co *cos[MANY];
    host_bare(&host, 2);
    for (unsigned i = 0; i < MANY; i++)
        cos[i] = start(&host, i % 2, NULL, dig_by_offload, &heap);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    assert_int_equal(atomic_load(&heap.worked), 10 * MANY);
    assert_int_equal(atomic_load(&heap.done), MANY);
    host_stop(&host);
}

static void dug(void *arg)
{
    struct heap *heap = arg;
    assert_ptr_equal(ferry_loop_current(), heap->loop);
    assert_null(ferry_self());
    count_add(&heap->dones, 1);
}

static void dig_from_a_callback(void *arg)
{
    struct heap *heap = arg;
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(ferry_offload_then(heap->loop, dig, dug, heap), 0);
}

static void from_callbacks_and_threads(void)
{
    struct host host;
    struct heap heap = {.loop = NULL};
    host_bare(&host, 2);
    heap.loop = ferry_pool_loop(host.pool, 1);
    host_call(&host, 1, dig_from_a_callback, &heap);
    dig_from_a_callback(&heap); /* from a thread, for that loop */
    assert_int_equal(ferry_offload_then(heap.loop, dig, NULL, &heap), 0);
    count_wait(&heap.dones, 2 * MANY);
    host_stop(&host);
    assert_int_equal(atomic_load(&heap.worked), 2 * MANY + 1);
    assert_int_equal(count_get(&heap.dones), 2 * MANY);
}

/* What is under way when the pool stops is waited for, and its `done` runs. */
static void while_the_pool_stops(void)
{
    struct host host;
    struct heap heap = {.loop = NULL};
    struct work w = {.result = 1};
    host_bare(&host, 1);
    heap.loop = ferry_pool_loop(host.pool, 0);
    (void)start(&host, 0, "worker", offload, &w);
    count_wait(&w.begun, 1);
    dig_from_a_callback(&heap);
    ferry_pool_stop(host.pool);
    count_add(&w.let_go, 1);
    host_stop(&host);
    assert_int_equal(w.result, 0);
    assert_int_equal(count_get(&heap.dones), MANY);
}

/* Jobs that come at once do not wait for each other, though one thread is idle and the others are still to be started. */
struct meeting {
    ferry_loop *loop;
    struct count warm, met, done;
};

static void meet(void *arg)
{
    struct meeting *meeting = arg;
    count_add(&meeting->met, 1);
    count_wait(&meeting->met, 4);
}

static void count_done(void *arg)
{
    count_add(&((struct meeting *)arg)->done, 1);
}

static void warm_up(void *arg)
{
    count_add(&((struct meeting *)arg)->warm, 1);
}

static void call_a_meeting(void *arg)
{
    struct meeting *meeting = arg;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(ferry_offload_then(meeting->loop, meet, count_done, meeting), 0);
}

/* Again and again, since the idle thread may be awake before the second job comes. */
static void jobs_that_come_at_once_run_side_by_side(void)
{
    for (size_t i = 0; i < 10; i++) {
        struct host host;
        struct meeting meeting = {.loop = NULL};
        host_bare(&host, 1);
        meeting.loop = ferry_pool_loop(host.pool, 0);
        assert_int_equal(ferry_offload_then(meeting.loop, warm_up, NULL, &meeting), 0);
        count_wait(&meeting.warm, 1);
        sleep_ms(10); /* its thread is idle again by now; if not, the test finds less */
        host_call(&host, 0, call_a_meeting, &meeting);
        count_wait(&meeting.done, 4);
        host_stop(&host);
    }
}

const struct test_case test_cases[] = {
    {"on_another_thread", on_another_thread},
    {"more_than_there_are_threads", more_than_there_are_threads},
    {"from_callbacks_and_threads", from_callbacks_and_threads},
    {"while_the_pool_stops", while_the_pool_stops},
    {"jobs_that_come_at_once_run_side_by_side", jobs_that_come_at_once_run_side_by_side},
    {NULL, NULL},
};
