/* SPDX-License-Identifier: MIT
 *
 * Deadlines: in each call that parks on a connection; racing the data; taken off again.
 */
#include "case.h"
#include "parked.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MUCH = 16 * 1024 * 1024, ROUNDS = 1600 };

static void send_from_outside(void *conn)
{
    char *much = calloc(1, MUCH);
    assert_non_null(much);
    ferry_send(conn, much, MUCH);
    free(much);
}

/* Each of them twice: the time stays over until another is set. Then the connection is as good as it was. */
static void let_it_pass_in_each(ferry_conn *conn, void *arg)
{
    char bytes[10];
    const void *data;
    for (size_t i = 0; i < 2; i++) {
        ferry_conn_set_deadline(conn, i == 0 ? 1 : 5);
        assert_int_equal(ferry_recv(conn, bytes, 10), -ETIMEDOUT);
        assert_int_equal(ferry_recv(conn, bytes, 10), -ETIMEDOUT);
        assert_int_equal(ferry_recv_exact(conn, bytes, 10), -ETIMEDOUT);
        assert_int_equal(ferry_recv_until(conn, bytes, 10, "\n"), -ETIMEDOUT);
        assert_int_equal(ferry_peek(conn, &data), -ETIMEDOUT);
        assert_int_equal(ferry_flush(conn), 0); /* nothing is pending */
    }
    ferry_conn_set_deadline(conn, 5);
    uint64_t begin = now_ns();
    send_from_outside(conn); /* held back, but only for so long */
    assert_int_equal(ferry_flush(conn), -ETIMEDOUT);
    assert_true(now_ns() - begin >= 4 * 1000000U);
    assert_int_equal(ferry_conn_error(conn), 0);
    ferry_conn_set_deadline(conn, 0);
    count_add(arg, 1);
    assert_int_equal(ferry_flush(conn), 0);
    assert_int_equal(ferry_recv_exact(conn, bytes, 5), 5);
    assert_memory_equal(bytes, "hello", 5);
}

static void in_each_call(void)
{
    struct host host;
    struct count passed = {0};
    char *much = malloc(MUCH);
    assert_non_null(much);
    host_start(&host, &(ferry_service){.serve = let_it_pass_in_each, .arg = &passed});
    int fd = peer_connect_with(host.address, &(struct peer_options){.receive_buffer = PEER_TINY_WINDOW});
    count_wait(&passed, 1);
    peer_read(fd, much, MUCH);
    peer_write(fd, "hello", 5);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    free(much);
}

static void let_it_pass_and_go(ferry_conn *conn, void *arg)
{
    char bytes[64];
    ferry_wait_group *gate = arg;
    ferry_conn_set_deadline(conn, 1);
    assert_int_equal(ferry_recv(conn, bytes, sizeof bytes), -ETIMEDOUT);
    ferry_conn_set_deadline(conn, 0);
    assert_int_equal(ferry_wait_group_wait(gate), 0);
    assert_int_equal(ferry_recv_exact(conn, bytes, 4), 4);
    assert_memory_equal(bytes, "much", 4);
}

/* Who has given up waiting for input is not waiting: what comes is left in the kernel, and not measured by max_input. */
static void nothing_is_read_after_it(void)
{
    struct host host;
    ferry_wait_group *gate = ferry_wait_group_new();
    const ferry_service service = {.name = "late", .serve = let_it_pass_and_go, .arg = gate, .max_input = 4};
    ferry_wait_group_add(gate, 1);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    wait_parked(&host, "late", "ferry_wait_group_wait");
    peer_write(fd, "muchmore", 8);
    host_settle(&host);
    ferry_wait_group_done(gate);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    ferry_wait_group_free(gate);
}

/* Data and expiry come at about the same time, again and again: each byte is had once, before the deadline or after. */
struct race {
    struct host host;
    unsigned way;
    uint64_t expired, got;
};

static ssize_t take(ferry_conn *conn, unsigned way, char *bytes, size_t cap)
{
    const void *data;
    ssize_t n;
    switch (way) {
    case 0:
        return ferry_recv(conn, bytes, cap);
    case 1:
        return ferry_recv_exact(conn, bytes, 3);
    case 2:
        return ferry_recv_until(conn, bytes, cap, "\n");
    default:
        n = ferry_peek(conn, &data);
        if (n > 0) {
            memcpy(bytes, data, 1);
            ferry_consume(conn, 1);
        }
        return n > 0 ? 1 : n;
    }
}

/* Lines of three bytes, so that all ways can take them: two of a counter, and the end. */
static void check_bytes(uint64_t at, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++, at++)
        assert_int_equal(bytes[i], at % 3 == 2 ? '\n' : (char)('a' + at / 3 % 26));
}

static void take_in_time(ferry_conn *conn, void *arg)
{
    struct race *race = arg;
    char bytes[100];
    ssize_t n;
    do {
        ferry_conn_set_deadline(conn, 1);
        n = take(conn, race->way, bytes, sizeof bytes);
        assert_true(n >= 0 || n == -ETIMEDOUT);
        race->expired += n < 0;
        if (n > 0) {
            check_bytes(race->got, bytes, (size_t)n);
            race->got += (uint64_t)n;
        }
    } while (n != 0);
}

static void write_about_in_time(int fd, size_t rounds)
{
    uint64_t series = 3;
    for (uint64_t at = 0; at < rounds * 3; at++) {
        char byte = at % 3 == 2 ? '\n' : (char)('a' + at / 3 % 26);
        peer_write(fd, &byte, 1);
        uint64_t until = now_ns() + 700000 + random_below(&series, 600000); /* about the deadline's millisecond */
        while (at % 3 == 0 && now_ns() < until)
            (void)sched_yield();
    }
}

static void racing_the_data(void)
{
    for (unsigned way = 0; way < 4; way++) {
        static struct race race;
        case_row("way %u", way);
        race = (struct race){.way = way};
        host_start(&race.host, &(ferry_service){.serve = take_in_time, .arg = &race});
        int fd = peer_connect(race.host.address);
        size_t rounds = scale(ROUNDS / 4);
        write_about_in_time(fd, rounds);
        peer_half_close(fd);
        peer_expect_eof(fd);
        peer_close(fd);
        count_wait(&race.host.watch.closed, 1);
        host_stop(&race.host);
        assert_int_equal(race.got, rounds * 3);
    }
}

/* 0 takes it off, also when it was near; and the farthest is none. */
static void wait_without(ferry_conn *conn, void *arg)
{
    char bytes[10];
    static const uint64_t never[] = {0, UINT64_MAX, UINT64_MAX / 1000000, 1000ULL * 3600 * 24 * 365 * 500};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        ferry_conn_set_deadline(conn, 1);
        ferry_conn_set_deadline(conn, never[i]);
        count_add(arg, 1);
        assert_int_equal(ferry_recv(conn, bytes, 10), 1);
    }
}

static void nothing_is_no_deadline(void)
{
    struct host host;
    struct count set = {0};
    host_start(&host, &(ferry_service){.serve = wait_without, .arg = &set});
    int fd = peer_connect(host.address);
    for (uint64_t i = 1; i <= 4; i++) {
        count_wait(&set, i);
        sleep_ms(5); /* past the first deadline */
        peer_write(fd, "x", 1);
    }
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
}

static size_t set_and_consume(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    ferry_conn_set_deadline(conn, 1);
    count_add(arg, 1);
    return len;
}

/* One with callbacks waits for nothing, so it has none. */
static void not_for_callbacks(void)
{
    struct host host;
    struct count set = {0};
    host_start(&host, &(ferry_service){.on_data = set_and_consume, .arg = &set});
    int fd = peer_connect(host.address);
    peer_write(fd, "x", 1);
    count_wait(&set, 1);
    sleep_ms(5);
    peer_write(fd, "x", 1);
    count_wait(&set, 2);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* A timer of 1 ms comes before a deadline of 2 ms, however late both are. */
struct change {
    ferry_conn *conn;
    uint64_t ms;
};

static void change(void *arg)
{
    const struct change *to = arg;
    ferry_conn_set_deadline(to->conn, to->ms);
}

static void wait_through_changes(ferry_conn *conn, void *arg)
{
    char byte;
    struct change soon = {conn, 1}, never = {conn, 0};
    ferry_loop *loop = ferry_conn_loop(conn);
    assert_non_null(ferry_after(loop, 1, change, &soon));
    assert_int_equal(ferry_recv(conn, &byte, 1), -ETIMEDOUT);
    ferry_conn_set_deadline(conn, 0);
    assert_non_null(ferry_after(loop, 1, change, &soon));
    send_from_outside(conn); /* held back */
    ferry_conn_set_deadline(conn, 0);
    assert_non_null(ferry_after(loop, 1, change, &soon));
    assert_int_equal(ferry_flush(conn), -ETIMEDOUT);
    assert_non_null(ferry_after(loop, 1, change, &never));
    ferry_conn_set_deadline(conn, 2);
    count_add(arg, 1);
    assert_int_equal(ferry_recv(conn, &byte, 1), 1);
}

static void it_reaches_who_is_parked(void)
{
    struct host host;
    struct count set = {0};
    char *much = malloc(MUCH);
    assert_non_null(much);
    host_start(&host, &(ferry_service){.serve = wait_through_changes, .arg = &set});
    int fd = peer_connect_with(host.address, &(struct peer_options){.receive_buffer = PEER_TINY_WINDOW});
    count_wait(&set, 1);
    sleep_ms(5); /* past the deadline that was taken off */
    peer_write(fd, "x", 1);
    peer_read(fd, much, MUCH);
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
    free(much);
}

/* It is the connection's, and no other's. */
static void sleep_through(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_conn_set_deadline(conn, 1);
    assert_int_equal(ferry_sleep(10), 0);
}

static void it_is_for_its_connection_alone(void)
{
    struct host host;
    host_start(&host, &(ferry_service){.serve = sleep_through});
    int fd = peer_connect(host.address);
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"in_each_call", in_each_call},
    {"racing_the_data", racing_the_data},
    {"nothing_is_no_deadline", nothing_is_no_deadline},
    {"it_reaches_who_is_parked", it_reaches_who_is_parked},
    {"it_is_for_its_connection_alone", it_is_for_its_connection_alone},
    {"nothing_is_read_after_it", nothing_is_read_after_it},
    {"not_for_callbacks", not_for_callbacks},
    {NULL, NULL},
};
