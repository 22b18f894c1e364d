/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: overload, slow peers, and times at the edge of their type. See
 * docs/complaints.md.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

/* One connection is accepted a turn of the loop: burger's code, and muduo's. */
enum { WAITING = 100 };

static void hold_the_loop(void *gate)
{
    count_wait(gate, 1);
}

static void many_that_wait_are_accepted_in_few_turns(void)
{
    static const ferry_service service = {.on_data = echo};
    struct host host;
    struct count gate = {0};
    ferry_loop_counters before;
    ferry_loop_counters after;
    int fds[WAITING];
    host_start(&host, &service);
    host_counters(&host, 0, &before);
    ferry_post(ferry_pool_loop(host.pool, 0), hold_the_loop, &gate);
    for (size_t i = 0; i < WAITING; i++)
        fds[i] = peer_connect(host.address);
    count_add(&gate, 1);
    count_wait(&host.watch.opened, WAITING);
    host_counters(&host, 0, &after);
    assert_in_range(after.turns - before.turns, 1, WAITING / 3);
    for (size_t i = 0; i < WAITING; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, WAITING);
    host_stop(&host);
}

/* A byte now and then renews every time limit. https://github.com/c-cube/tiny_httpd/issues/5,
 * https://github.com/golang/go/issues/16100, https://github.com/caddyserver/caddy/issues/4235. A request has its time whole: by a
 * timer in the one style, by a deadline in the other. */
enum { REQUEST_MS = 250, REQUEST = 1000 };

static void be_late(void *conn)
{
    ferry_abort(conn);
    ferry_conn_unref(conn);
}

static void give_it_time(ferry_conn *conn, void *arg)
{
    (void)arg;
    assert_non_null(ferry_after(ferry_conn_loop(conn), REQUEST_MS, be_late, ferry_conn_ref(conn)));
}

static size_t wait_for_all(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len < REQUEST ? 0 : REQUEST;
}

static void serve_in_time(ferry_conn *conn, void *arg)
{
    char request[REQUEST];
    const void *data;
    (void)arg;
    ferry_conn_set_deadline(conn, REQUEST_MS);
    assert_int_equal(ferry_recv_exact(conn, request, REQUEST), -ETIMEDOUT);
    assert_true(ferry_peek(conn, &data) > 0); /* what has come is still there */
    ferry_abort(conn);
}

static void trickle(int fd)
{
    while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
        sleep_ms(10);
}

static void a_sender_that_trickles_renews_no_deadline(void)
{
    static const ferry_service services[] = {
        {.on_open = give_it_time, .on_data = wait_for_all, .idle_timeout_ms = 60000},
        {.serve = serve_in_time, .idle_timeout_ms = 60000}};
    for (size_t style = 0; style < 2; style++) {
        struct host host;
        case_row("style %zu", style);
        uint64_t begin = now_ns();
        host_start(&host, &services[style]);
        int fd = peer_connect(host.address);
        trickle(fd);
        assert_true(now_ns() - begin >= REQUEST_MS * 1000000ULL);
        assert_reason(watch_reason(&host.watch, 0, NULL), -ECONNABORTED);
        peer_close(fd);
        host_stop(&host);
    }
}

/* A number that means "never" is used as a time, or a time is too long for its type, and it is now.
 * https://github.com/reactphp/event-loop/issues/194, https://github.com/yandex/odyssey/pull/744. */
static void sleep_for_ever(ferry_conn *conn, void *arg)
{
    char byte;
    ferry_conn_set_deadline(conn, UINT64_MAX);
    while (ferry_recv(conn, &byte, 1) == 1)
        ferry_send(conn, &byte, 1);
    count_add(arg, 1);
    assert_int_equal(ferry_sleep(UINT64_MAX), -ECANCELED);
}

static void talk_and_be_quiet(int fd)
{
    char byte = 0;
    for (size_t i = 0; i < 3; i++) {
        peer_write(fd, "x", 1);
        peer_read(fd, &byte, 1);
        sleep_ms(20);
    }
}

static void the_longest_times_never_come(void)
{
    struct count slept = {0};
    ferry_service services[] = {{.on_data = echo}, {.serve = sleep_for_ever, .arg = &slept}};
    for (size_t style = 0; style < 2; style++) {
        struct host host;
        case_row("style %zu", style);
        services[style].idle_timeout_ms = services[style].linger_ms = UINT_MAX;
        host_init(&host, &services[style]);
        host_run(&host, "127.0.0.1:0",
                 &(ferry_pool_options){.threads = 1, .grace_ms = UINT_MAX, .watchdog_ms = UINT_MAX});
        int fd = peer_connect(host.address);
        talk_and_be_quiet(fd);
        assert_int_equal(count_get(&host.watch.closed), 0);
        peer_half_close(fd);
        if (style == 1) {
            count_wait(&slept, 1);
            sleep_ms(20);
            assert_int_equal(count_get(&host.watch.served), 0);
            host_cut(&host); /* the grace time is as long */
            peer_close(fd);
            continue;
        }
        peer_expect_eof(fd);
        peer_close(fd);
        host_stop(&host);
    }
}

/* The same where connecting waits before the next attempt: one that comes at once comes again and again. */
static void the_longest_waits_of_a_dialer(void)
{
    static const ferry_connect_options options = {
        .timeout_ms = UINT_MAX, .attempts = UINT_MAX, .backoff_ms = UINT_MAX, .backoff_max_ms = UINT_MAX};
    struct host host;
    ferry_loop_counters before;
    ferry_loop_counters after;
    char address[64];
    int nobody = peer_listen(address, sizeof address, -1);
    host_init(&host, &(ferry_service){.linger_ms = UINT_MAX});
    host.watch.dials = true;
    host_run(&host, NULL, NULL);
    assert_int_equal(ferry_connect(ferry_pool_loop(host.pool, 0), address, &host.watch.service, &options), 0);
    host_counters(&host, 0, &before);
    sleep_ms(50);
    host_counters(&host, 0, &after);
    assert_in_range(after.turns - before.turns, 1, 10);
    assert_int_equal(count_get(&host.watch.failed), 0);
    peer_close(nobody);
    host_stop(&host);
    assert_int_equal(count_get(&host.watch.failed), 1);
}

const struct test_case test_cases[] = {
    {"many_that_wait_are_accepted_in_few_turns", many_that_wait_are_accepted_in_few_turns},
    {"a_sender_that_trickles_renews_no_deadline", a_sender_that_trickles_renews_no_deadline},
    {"the_longest_times_never_come", the_longest_times_never_come},
    {"the_longest_waits_of_a_dialer", the_longest_waits_of_a_dialer},
    {NULL, NULL},
};
