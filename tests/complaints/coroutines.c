/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: coroutines. See docs/complaints.md.
 */
#include "case.h"
#include "peer.h"

#include "../co/parked.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

/* Addresses of thread-locals, errno's among them, are cached across a switch, and the coroutine goes on on another thread.
 * https://github.com/llvm/llvm-project/issues/47179, https://github.com/yyzybb537/libgo/issues/256,
 * https://github.com/mozy/mordor/issues/18. Here it stays on its own, whoever wakes it. */
enum { LOOPS = 2, EACH = 4, STEPS = 32 };

struct steadfast {
    struct host host;
    ferry_channel *channel;
};

static void block_a_while(void *arg)
{
    (void)arg;
    sleep_ms(1);
}

/* Each kind of waiting: for the loop, a timer, a worker, and a coroutine of the other loop. */
static void wait_somehow(const struct steadfast *steadfast, size_t step)
{
    int item = 1;
    switch (step % 4) {
    case 0:
        ferry_yield();
        break;
    case 1:
        assert_int_equal(ferry_sleep(1), 0);
        break;
    case 2:
        assert_int_equal(ferry_offload(block_a_while, NULL), 0);
        break;
    default:
        if (ferry_loop_current() == ferry_pool_loop(steadfast->host.pool, 0))
            assert_int_equal(ferry_channel_send(steadfast->channel, &item), 0);
        else
            assert_int_equal(ferry_channel_recv(steadfast->channel, &item), 1);
        break;
    }
}

/* Asked in a way that the compiler cannot take for asked before, which is what the complaint is about. */
static int *(*volatile where_errno_is)(void) = __errno_location;

static void stay_where_it_is(void *arg)
{
    const struct steadfast *steadfast = arg;
    const pid_t thread = gettid();
    const int *place = where_errno_is();
    for (size_t i = 0; i < STEPS; i++) {
        wait_somehow(steadfast, i);
        assert_int_equal(gettid(), thread);
        assert_ptr_equal(where_errno_is(), place);
    }
}

static void a_coroutine_never_changes_its_thread(void)
{
    static struct steadfast steadfast;
    ferry_co *cos[LOOPS * EACH];
    host_bare(&steadfast.host, LOOPS);
    steadfast.channel = ferry_channel_new(sizeof(int), 1);
    assert_non_null(steadfast.channel);
    for (unsigned i = 0; i < LOOPS * EACH; i++)
        cos[i] = start(&steadfast.host, i % LOOPS, NULL, stay_where_it_is, &steadfast);
    for (size_t i = 0; i < LOOPS * EACH; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    host_stop(&steadfast.host);
    ferry_channel_free(steadfast.channel);
}

/* Who waits is found by the descriptor: one place for the reader and the writer, and room wakes the reader. Burger's code;
 * https://github.com/scylladb/seastar/issues/2690, https://github.com/ARMmbed/mbed-os/pull/3058. */
enum { MUCH = 8 * 1024 * 1024 };

struct both {
    struct host host;
    ferry_conn *conn;
};

static void send_much(void *arg)
{
    struct both *both = arg;
    char *much = calloc(1, MUCH);
    assert_non_null(much);
    ferry_send(both->conn, much, MUCH);
    free(much);
}

static void serve_a_byte_at_a_time(ferry_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    while (ferry_recv(conn, &byte, 1) == 1)
        assert_int_equal(ferry_sleep(1), 0);
}

static void read_much(int fd)
{
    char *much = malloc(MUCH);
    assert_non_null(much);
    peer_read(fd, much, MUCH);
    free(much);
}

static void room_wakes_the_writer_and_input_the_reader(void)
{
    static struct both both;
    ferry_stats stats;
    host_start(&both.host, &(ferry_service){.name = "reader", .serve = serve_a_byte_at_a_time});
    int fd = peer_connect_with(both.host.address, &tiny);
    both.conn = watch_conn(&both.host.watch, 0);
    for (uint64_t round = 0; round < 3; round++) {
        ferry_co *writer = start(&both.host, 0, "writer", send_much, &both);
        wait_parked(&both.host, "writer", "ferry_send");
        wait_parked(&both.host, "reader", "ferry_recv");
        peer_write(fd, "x", 1); /* input: for the reader */
        do
            ferry_conn_stats(both.conn, &stats);
        while (stats.received == round);
        wait_parked(&both.host, "reader", "ferry_recv");
        assert_int_equal(parked(&both.host, 0, "writer", "ferry_send"), 1);
        read_much(fd); /* room: for the writer */
        assert_int_equal(ferry_join(writer), 0);
        assert_int_equal(parked(&both.host, 0, "reader", "ferry_recv"), 1);
    }
    peer_close(fd);
    assert_reason(watch_reason(&both.host.watch, 0, NULL), 0);
    host_stop(&both.host);
}

/* Stacks of a crowd that has gone stay resident. https://github.com/rethinkdb/rethinkdb/issues/1670,
 * https://github.com/bloomberg/quantum/pull/138, https://github.com/dragonflydb/dragonfly/issues/2707. */
enum { CROWD = 1200, DEEP = 40 * 1024, KEPT = 256 * 64 * 1024 };

struct crowd {
    struct host host;
    ferry_wait_group *arrived, *gate;
};

static void touch_and_wait(void *arg)
{
    const struct crowd *crowd = arg;
    volatile char deep[DEEP];
    for (size_t i = 0; i < DEEP; i += 1024)
        deep[i] = 1;
    ferry_wait_group_done(crowd->arrived);
    assert_int_equal(ferry_wait_group_wait(crowd->gate), 0);
    assert_int_equal(deep[0], 1);
}

static bool none_is_left(void *host)
{
    ferry_loop_counters counters;
    host_counters(host, 0, &counters);
    return counters.coroutines == 0;
}

static void stacks_of_a_crowd_are_given_back(void)
{
    static struct crowd crowd;
    crowd = (struct crowd){.arrived = ferry_wait_group_new(), .gate = ferry_wait_group_new()};
    host_bare(&crowd.host, 1);
    unsigned many = (unsigned)scale(CROWD);
    ferry_wait_group_add(crowd.arrived, many);
    ferry_wait_group_add(crowd.gate, 1);
    for (unsigned i = 0; i < many; i++)
        (void)start(&crowd.host, 0, NULL, touch_and_wait, &crowd);
    assert_int_equal(ferry_wait_group_wait(crowd.arrived), 0);
    size_t most = case_resident();
    ferry_wait_group_done(crowd.gate);
    wait_until(none_is_left, &crowd.host);
    assert_true(case_resident() + (size_t)many * DEEP < most + KEPT + 4 * 1024 * 1024);
    host_stop(&crowd.host);
    ferry_wait_group_free(crowd.arrived);
    ferry_wait_group_free(crowd.gate);
}

const struct test_case test_cases[] = {
    {"a_coroutine_never_changes_its_thread", a_coroutine_never_changes_its_thread},
    {"room_wakes_the_writer_and_input_the_reader", room_wakes_the_writer_and_input_the_reader},
    {"stacks_of_a_crowd_are_given_back", stacks_of_a_crowd_are_given_back},
    {NULL, NULL},
};
