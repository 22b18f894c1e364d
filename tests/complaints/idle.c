/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: a loop that spins. Each scene is one in which a loop has nothing to do, and
 * which some loop takes for something to do, again and again. See docs/complaints.md.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

/* No more turns than the looking makes, however slow the machine is: one that spins has thousands. */
static void expect_no_turns(struct host *host)
{
    ferry_loop_counters before;
    ferry_loop_counters after;
    host_settle(host);
    sleep_ms(30); /* what has happened is told by now */
    host_counters(host, 0, &before);
    sleep_ms(70);
    host_counters(host, 0, &after);
    assert_in_range(after.turns - before.turns, 1, 12);
}

static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len;
}

static void stay(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

static void sleep_on(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
    assert_true(ferry_sleep(UINT64_MAX / 2000000) < 0);
}

static void leave_it(struct host *host, int fd)
{
    (void)host;
    peer_write(fd, "unread", 6);
    peer_half_close(fd);
}

static void pause_it(struct host *host, int fd)
{
    ferry_conn_pause(watch_conn(&host->watch, 0));
    host_settle(host);
    leave_it(host, fd);
}

static void end_ours_first(struct host *host, int fd)
{
    ferry_conn *conn = watch_conn(&host->watch, 0);
    ferry_conn_pause(conn);
    ferry_shutdown(conn);
    host_settle(host);
    peer_expect_eof(fd);
    leave_it(host, fd);
}

/* The peer has ended, and nobody reads, or nobody minds. https://github.com/libuv/libuv/issues/2922 (100 % CPU),
 * https://github.com/libuv/libuv/issues/3449. */
static void an_end_that_nobody_reads_costs_no_turns(void)
{
    static const struct {
        const char *name;
        ferry_service service;
        void (*act)(struct host *host, int fd);
    } scenes[] = {
        {"half-closed, and left open", {.on_data = swallow, .on_eof = stay}, leave_it},
        {"half-closed, while paused", {.on_data = swallow, .on_eof = stay}, pause_it},
        {"both ends, while paused", {.on_data = swallow, .on_eof = stay}, end_ours_first},
        {"a coroutine that does something else", {.serve = sleep_on}, leave_it},
    };
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        struct host host;
        case_row("%s", scenes[i].name);
        host_start(&host, &scenes[i].service);
        int fd = peer_connect(host.address);
        (void)watch_conn(&host.watch, 0);
        scenes[i].act(&host, fd);
        expect_no_turns(&host);
        assert_int_equal(count_get(&host.watch.closed), 0);
        ferry_abort(watch_conn(&host.watch, 0));
        count_wait(&host.watch.closed, 1);
        peer_close(fd);
        host_cut(&host);
    }
}

/* A peer that does not read makes the sender spin on EAGAIN. https://github.com/mhansen/antinode/issues/3,
 * https://github.com/cherokee/webserver/issues/21; burger's sendInProc. */
enum { MUCH = 512 * 1024 };

static void send_memory(ferry_conn *conn, ferry_file *file)
{
    (void)file;
    char *data = pattern_new(1, MUCH);
    ferry_send(conn, data, MUCH);
    free(data);
}

static void send_owned(ferry_conn *conn, ferry_file *file)
{
    (void)file;
    ferry_send_owned(conn, pattern_new(1, MUCH), MUCH, free);
}

static void send_file(ferry_conn *conn, ferry_file *file)
{
    ferry_send_file(conn, file, 0, MUCH);
}

static void send_slow_file(ferry_conn *conn, ferry_file *file)
{
    static const ferry_transfer_options options = {.rate = 1};
    ferry_transfer_unref(ferry_send_file_as(conn, file, 0, MUCH, &options));
}

static void send_and_close(ferry_conn *conn, ferry_file *file)
{
    send_file(conn, file);
    ferry_close(conn);
}

struct order {
    void (*send)(ferry_conn *conn, ferry_file *file);
    ferry_conn *conn;
    ferry_file *file;
};

static void send_here(void *arg)
{
    const struct order *order = arg;
    order->send(order->conn, order->file);
}

static void run_shut(struct order *order, bool on_the_loop)
{
    static const ferry_service service = {.on_data = swallow, .socket.send_buffer = 16 * 1024};
    struct host host;
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    order->conn = watch_conn(&host.watch, 0);
    if (on_the_loop)
        host_call(&host, 0, send_here, order);
    else
        send_here(order);
    expect_no_turns(&host);
    assert_true(ferry_conn_pending(order->conn) > 0);
    peer_reset(fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
}

static void a_window_that_is_shut_costs_no_turns(void)
{
    static void (*const ways[])(ferry_conn *, ferry_file *) = {send_memory, send_owned, send_file, send_slow_file,
                                                               send_and_close};
    struct temp temp;
    temp_fill(&temp, 1, MUCH);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        case_row("way %zu", i);
        run_shut(&(struct order){.send = ways[i], .file = file}, i % 2 == 0);
    }
    ferry_file_unref(file);
    temp_remove(&temp);
}

const struct test_case test_cases[] = {
    {"an_end_that_nobody_reads_costs_no_turns", an_end_that_nobody_reads_costs_no_turns},
    {"a_window_that_is_shut_costs_no_turns", a_window_that_is_shut_costs_no_turns},
    {NULL, NULL},
};
