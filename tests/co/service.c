/* SPDX-License-Identifier: MIT
 *
 * The coroutine style as a service: what it may be combined with; its limits and timeouts are those of the other style.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"

#include <errno.h>
#include <string.h>

static void serve(ferry_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    while (ferry_recv(conn, &byte, 1) == 1)
        ferry_send(conn, &byte, 1);
}

static void event(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

static size_t data(ferry_conn *conn, const void *bytes, size_t len, void *arg)
{
    (void)conn;
    (void)bytes;
    (void)arg;
    return len;
}

static void level(ferry_conn *conn, size_t pending, void *arg)
{
    (void)conn;
    (void)pending;
    (void)arg;
}

static void one_style_at_a_time(void)
{
    const ferry_service both[] = {
        {.serve = serve, .on_open = event},       {.serve = serve, .on_data = data},
        {.serve = serve, .on_eof = event},        {.serve = serve, .on_drain = event},
        {.serve = serve, .on_high_water = level}, {.serve = serve, .on_low_water = level},
    };
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        case_row("combination %zu", i);
        errno = 0;
        assert_null(ferry_listen(pool, "127.0.0.1:0", &both[i]));
        assert_int_equal(errno, EINVAL);
        assert_int_equal(ferry_connect(ferry_pool_loop(pool, 0), "127.0.0.1:1", &both[i], NULL), -EINVAL);
    }
    ferry_pool_free(pool);
}

/* ferry_connect() with serve: the coroutine comes when it is connected; on_close alone when it is not. */
struct call {
    struct count served, closed;
    int reason;
};

static void say_hello(ferry_conn *conn, void *arg)
{
    ferry_send(conn, "hello", 5);
    count_add(&((struct call *)arg)->served, 1);
}

static void note_close(ferry_conn *conn, int reason, void *arg)
{
    struct call *call = arg;
    (void)conn;
    call->reason = reason;
    count_add(&call->closed, 1);
}

static void connecting_with_serve(void)
{
    struct host host;
    struct call call = {.reason = 1};
    const ferry_service service = {.serve = say_hello, .on_close = note_close, .arg = &call};
    char address[32];
    char refusing[32];
    char bytes[5];
    int listener = peer_listen(address, sizeof address, 5);
    int bound = peer_listen(refusing, sizeof refusing, -1);
    host_bare(&host, 1);
    assert_int_equal(ferry_connect(ferry_pool_loop(host.pool, 0), address, &service, NULL), 0);
    int fd = peer_accept(listener);
    peer_read(fd, bytes, 5);
    assert_memory_equal(bytes, "hello", 5);
    peer_expect_eof(fd);
    peer_close(fd);
    count_wait(&call.closed, 1);
    assert_reason(call.reason, 0);
    assert_int_equal(
        ferry_connect(ferry_pool_loop(host.pool, 0), refusing, &service, &(ferry_connect_options){.attempts = 1}), 0);
    count_wait(&call.closed, 2);
    assert_reason(call.reason, -ECONNREFUSED);
    assert_int_equal(count_get(&call.served), 1);
    host_stop(&host);
    peer_close(listener);
    peer_close(bound);
}

/* Limits of the service end it with their reason, wherever it is parked. */
static void fill_up(ferry_conn *conn, void *arg)
{
    char bytes[1000] = "";
    (void)arg;
    while (ferry_conn_error(conn) == 0)
        for (size_t i = 0; i < 100; i++)
            ferry_send(conn, bytes, sizeof bytes);
}

static void line_without_end(ferry_conn *conn, void *arg)
{
    static char bytes[200 * 1024];
    *(ssize_t *)arg = ferry_recv_until(conn, bytes, sizeof bytes, "\n");
}

static void limits_end_it(void)
{
    struct host host;
    ssize_t result = 1;
    static const char much[150 * 1024];
    host_start(&host, &(ferry_service){.serve = line_without_end, .arg = &result, .max_input = 100 * 1024});
    int fd = peer_connect(host.address);
    (void)send(fd, much, sizeof much, MSG_NOSIGNAL);
    assert_reason(watch_reason(&host.watch, 0, NULL), -EMSGSIZE);
    count_wait(&host.watch.served, 1);
    assert_reason((int)result, -EMSGSIZE);
    peer_close(fd);
    host_stop(&host);

    host_start(&host, &(ferry_service){.serve = serve, .idle_timeout_ms = 20});
    fd = peer_connect(host.address);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ETIMEDOUT);
    peer_close(fd);
    host_stop(&host);

    host_start(&host, &(ferry_service){.serve = fill_up, .max_pending = 100 * 1000, .high_water = 200 * 1000});
    fd = peer_connect_with(host.address, &(struct peer_options){.receive_buffer = PEER_TINY_WINDOW});
    assert_reason(watch_reason(&host.watch, 0, NULL), -ENOBUFS);
    peer_close(fd);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"one_style_at_a_time", one_style_at_a_time},
    {"connecting_with_serve", connecting_with_serve},
    {"limits_end_it", limits_end_it},
    {NULL, NULL},
};
