/* SPDX-License-Identifier: MIT
 *
 * Channels: producers and consumers on loops and threads; order; full, empty and closed.
 */
#include "case.h"
#include "parked.h"

#include <errno.h>
#include <stdatomic.h>

enum { PRODUCERS = 6, CONSUMERS = 5 };

struct item {
    uint32_t producer, sequence;
};

struct market {
    struct host host;
    ferry_channel *channel;
    uint32_t each;
    atomic_uint_fast64_t received, sum;
    pthread_t threads[PRODUCERS + CONSUMERS];
    ferry_co *cos[PRODUCERS + CONSUMERS];
    struct trader {
        struct market *market;
        uint32_t number;
    } traders[PRODUCERS + CONSUMERS];
};

static void produce(void *arg)
{
    const struct trader *trader = arg;
    for (uint32_t i = 0; i < trader->market->each; i++) {
        const struct item item = {trader->number, i};
        assert_int_equal(ferry_channel_send(trader->market->channel, &item), 0);
    }
}

/* Each consumer sees each producer's items in their order. */
static void consume(void *arg)
{
    const struct trader *trader = arg;
    struct market *market = trader->market;
    uint32_t next[PRODUCERS] = {0};
    struct item item;
    int result;
    while ((result = ferry_channel_recv(market->channel, &item)) == 1) {
        assert_in_range(item.producer, 0, PRODUCERS - 1);
        assert_true(item.sequence >= next[item.producer]);
        next[item.producer] = item.sequence + 1;
        atomic_fetch_add(&market->received, 1);
        atomic_fetch_add(&market->sum, item.sequence);
    }
    assert_int_equal(result, 0);
}

static void *produce_on_a_thread(void *arg)
{
    produce(arg);
    return NULL;
}

static void *consume_on_a_thread(void *arg)
{
    consume(arg);
    return NULL;
}

/* The third of each kind is a thread, the others are coroutines, of the loops in turn. */
static bool is_thread(size_t i)
{
    return i % 3 == 2;
}

static void start_trader(struct market *market, size_t i)
{
    bool produces = i < PRODUCERS;
    market->traders[i] = (struct trader){market, (uint32_t)i};
    if (!is_thread(i))
        market->cos[i] = start(&market->host, i % 2, NULL, produces ? produce : consume, &market->traders[i]);
    else
        assert_int_equal(pthread_create(&market->threads[i], NULL, produces ? produce_on_a_thread : consume_on_a_thread,
                                        &market->traders[i]),
                         0);
}

static void await_traders(struct market *market, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        assert_int_equal(is_thread(i) ? pthread_join(market->threads[i], NULL) : ferry_join(market->cos[i]), 0);
}

static void trade(size_t capacity)
{
    static struct market market;
    case_row("capacity %zu", capacity);
    market = (struct market){.channel = ferry_channel_new(sizeof(struct item), capacity),
                             .each = (uint32_t)scale(5000)};
    assert_non_null(market.channel);
    host_bare(&market.host, 2);
    for (size_t i = 0; i < PRODUCERS + CONSUMERS; i++)
        start_trader(&market, i);
    await_traders(&market, 0, PRODUCERS);
    ferry_channel_close(market.channel);
    await_traders(&market, PRODUCERS, PRODUCERS + CONSUMERS);
    uint64_t each = market.each;
    assert_int_equal(atomic_load(&market.received), PRODUCERS * each);
    assert_int_equal(atomic_load(&market.sum), PRODUCERS * (each * (each - 1) / 2));
    host_stop(&market.host);
    ferry_channel_free(market.channel);
}

static void many_on_both_sides(void)
{
    trade(1);
    trade(7);
    trade(1000);
}

/* What a call says when it need not wait. */
static void full_empty_and_closed(void)
{
    ferry_channel *channel = ferry_channel_new(sizeof(int), 3);
    int item = 0;
    assert_int_equal(ferry_channel_try_recv(channel, &item), -EAGAIN);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(i == 2 ? ferry_channel_send(channel, &i) : ferry_channel_try_send(channel, &i), 0);
    assert_int_equal(ferry_channel_try_send(channel, &item), -EAGAIN);
    assert_int_equal(ferry_channel_recv(channel, &item), 1);
    assert_int_equal(item, 1);
    ferry_channel_close(channel);
    ferry_channel_close(channel);
    assert_int_equal(ferry_channel_try_send(channel, &item), -EPIPE);
    assert_int_equal(ferry_channel_send(channel, &item), -EPIPE);
    assert_int_equal(ferry_channel_recv(channel, &item), 1); /* what is in it is still received */
    assert_int_equal(item, 2);
    assert_int_equal(ferry_channel_try_recv(channel, &item), 1);
    assert_int_equal(item, 3);
    assert_int_equal(ferry_channel_recv(channel, &item), 0);
    assert_int_equal(ferry_channel_try_recv(channel, &item), 0);
    ferry_channel_free(channel);
    ferry_channel_free(NULL);
}

static void sizes_that_make_no_sense(void)
{
    static const struct {
        size_t item_size, capacity;
    } rows[] = {{0, 1}, {1, 0}, {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 2, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        case_row("%zu x %zu", rows[i].item_size, rows[i].capacity);
        errno = 0;
        assert_null(ferry_channel_new(rows[i].item_size, rows[i].capacity));
        assert_int_equal(errno, EINVAL);
    }
}

/* Closing wakes all who wait, on both sides. */
struct crowd {
    ferry_channel *full, *empty;
    atomic_uint pipes, ends;
};

static void send_into_full(void *arg)
{
    struct crowd *crowd = arg;
    int item = 2;
    assert_int_equal(ferry_channel_send(crowd->full, &item), -EPIPE);
    atomic_fetch_add(&crowd->pipes, 1);
}

static void receive_from_empty(void *arg)
{
    struct crowd *crowd = arg;
    int item;
    assert_int_equal(ferry_channel_recv(crowd->empty, &item), 0);
    atomic_fetch_add(&crowd->ends, 1);
}

static void *receive_on_a_thread(void *arg)
{
    receive_from_empty(arg);
    return NULL;
}

static void closing_wakes_all(void)
{
    enum { WAITING = 20 };
    struct host host;
    struct crowd crowd = {.full = ferry_channel_new(sizeof(int), 1), .empty = ferry_channel_new(sizeof(int), 1)};
    ferry_co *cos[2 * WAITING];
    pthread_t thread;
    int item = 1;
    host_bare(&host, 2);
    assert_int_equal(ferry_channel_send(crowd.full, &item), 0);
    for (unsigned i = 0; i < WAITING; i++) {
        cos[2 * i] = start(&host, i % 2, NULL, send_into_full, &crowd);
        cos[2 * i + 1] = start(&host, i % 2, NULL, receive_from_empty, &crowd);
    }
    assert_int_equal(pthread_create(&thread, NULL, receive_on_a_thread, &crowd), 0);
    wait_parked_many(&host, NULL, "ferry_channel_send", WAITING);
    wait_parked_many(&host, NULL, "ferry_channel_recv", WAITING);
    ferry_channel_close(crowd.full);
    ferry_channel_close(crowd.empty);
    for (unsigned i = 0; i < 2 * WAITING; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&crowd.pipes), WAITING);
    assert_int_equal(atomic_load(&crowd.ends), WAITING + 1);
    host_stop(&host);
    ferry_channel_free(crowd.full);
    ferry_channel_free(crowd.empty);
}

/* A receiver that is cancelled when an item is there for it: the item is not lost, another has it. */
struct steal {
    ferry_channel *channel;
    atomic_uint got;
};

static void receive_one(void *arg)
{
    struct steal *steal = arg;
    int item;
    int result = ferry_channel_recv(steal->channel, &item);
    assert_true(result == 1 || result == 0 || result == -ECANCELED);
    atomic_fetch_add(&steal->got, result == 1);
}

static void a_cancelled_receiver_loses_nothing(void)
{
    struct host host;
    host_bare(&host, 2);
    for (size_t round = 0; round < scale(2000); round++) {
        struct steal steal = {.channel = ferry_channel_new(sizeof(int), 1)};
        int item = 1;
        ferry_co *first = start(&host, 0, NULL, receive_one, &steal);
        ferry_co *second = start(&host, 1, NULL, receive_one, &steal);
        if (round % 2 == 0)
            ferry_cancel(first);
        assert_int_equal(ferry_channel_send(steal.channel, &item), 0);
        ferry_cancel(first);
        assert_int_equal(ferry_join(first), 0);
        if (atomic_load(&steal.got) == 1)
            ferry_channel_close(steal.channel);
        assert_int_equal(ferry_join(second), 0);
        assert_int_equal(atomic_load(&steal.got), 1);
        ferry_channel_free(steal.channel);
    }
    host_stop(&host);
}

static void wait_in_a_callback(void *arg)
{
    int item;
    assert_int_equal(ferry_channel_recv(arg, &item), -EDEADLK);
    item = 3;
    assert_int_equal(ferry_channel_send(arg, &item), 0); /* there is room */
    assert_int_equal(ferry_channel_send(arg, &item), -EDEADLK);
    assert_int_equal(ferry_channel_try_send(arg, &item), -EAGAIN);
}

static void a_callback_never_waits(void)
{
    struct host host;
    ferry_channel *channel = ferry_channel_new(sizeof(int), 1);
    host_bare(&host, 1);
    host_call(&host, 0, wait_in_a_callback, channel);
    host_stop(&host);
    ferry_channel_free(channel);
}

const struct test_case test_cases[] = {
    {"many_on_both_sides", many_on_both_sides},
    {"full_empty_and_closed", full_empty_and_closed},
    {"sizes_that_make_no_sense", sizes_that_make_no_sense},
    {"closing_wakes_all", closing_wakes_all},
    {"a_cancelled_receiver_loses_nothing", a_cancelled_receiver_loses_nothing},
    {"a_callback_never_waits", a_callback_never_waits},
    {NULL, NULL},
};
