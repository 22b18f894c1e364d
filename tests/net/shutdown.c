/* SPDX-License-Identifier: MIT
 *
 * ferry_shutdown(): all that was sent before goes out, then FIN; reading goes on; what is sent after is dropped and
 * counted.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

static size_t count_bytes(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    count_add(arg, len);
    return len;
}

struct order {
    ferry_conn *conn;
    char *data;
    size_t len;
};

static void send_and_shut_down(void *arg)
{
    struct order *order = arg;
    ferry_send(order->conn, order->data, order->len);
    ferry_shutdown(order->conn);
}

static void expect_all_then_eof(int fd, uint64_t seed, uint64_t len)
{
    struct pattern pattern = {.seed = seed};
    uint64_t total;
    assert_int_equal(peer_read_to_end(fd, &pattern, &total), 0);
    assert_int_equal(total, len);
}

static void run_right_after(bool on_the_loop)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    ferry_stats stats;
    struct order order = {.len = scale(64 * 1024 * 1024)};
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    order.conn = watch_conn(&host.watch, 0);
    order.data = pattern_new(5, order.len);
    if (on_the_loop)
        host_call(&host, 0, send_and_shut_down, &order);
    else
        send_and_shut_down(&order);
    free(order.data);
    expect_all_then_eof(fd, 5, order.len);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.verdict, FERRY_VERDICT_ACKED);
    assert_int_equal(stats.written, order.len);
    assert_int_equal(stats.unsent, 0);
    assert_int_equal(stats.drops, 0);
    host_stop(&host);
}

static void right_after_64_mib_to_a_tiny_window(void)
{
    run_right_after(false);
}

static void right_after_64_mib_on_the_loop(void)
{
    run_right_after(true);
}

static void right_after_a_file(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    struct temp temp;
    size_t len = scale(16 * 1024 * 1024);
    temp_fill(&temp, 6, len);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_shutdown(conn);
    ferry_file_unref(file);
    expect_all_then_eof(fd, 6, len);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    temp_remove(&temp);
}

static void without_a_byte_sent(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_shutdown(watch_conn(&host.watch, 0));
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

static void *shut_down_often(void *conn)
{
    for (size_t i = 0; i < 100; i++)
        ferry_shutdown(conn);
    return NULL;
}

static void it_is_idempotent_from_any_thread(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    pthread_t threads[4];
    char *data = pattern_new(7, 1000000);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send(conn, data, 1000000);
    free(data);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, shut_down_often, conn), 0);
    expect_all_then_eof(fd, 7, 1000000);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    shut_down_often(conn);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    shut_down_often(conn);
    host_stop(&host);
}

static void release(void *data)
{
    free(data);
}

/* What each kind of send after it costs: nothing goes out, each is counted. */
static void sends_after_it_are_dropped_and_counted(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    ferry_stats stats;
    ferry_loop_counters counters;
    struct temp temp;
    temp_fill(&temp, 1, 1000);
    ferry_file *file = ferry_file_open(temp.path);
    ferry_blob *blob = ferry_blob_new("blob", 4);
    const struct iovec vector = {.iov_base = "abc", .iov_len = 3};
    assert_non_null(file);
    assert_non_null(blob);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send(conn, "first", 5);
    ferry_shutdown(conn);
    ferry_send(conn, "ab", 2);
    ferry_sendv(conn, &vector, 1);
    ferry_send_blob(conn, blob);
    ferry_send_owned(conn, calloc(1, 5), 5, release);
    ferry_send_file(conn, file, 0, 1000);
    ferry_file_unref(file);
    ferry_blob_unref(blob);
    ferry_conn_stats(conn, &stats);
    assert_int_equal(stats.queued, 5);
    assert_int_equal(stats.drops, 5);
    assert_int_equal(stats.dropped, 2 + 3 + 4 + 5 + 1000);
    assert_reason(stats.drop_reason, -ESHUTDOWN);
    host_counters(&host, 0, &counters);
    assert_int_equal(counters.dropped, 5);
    uint64_t total;
    assert_int_equal(peer_read_to_end(fd, NULL, &total), 0);
    assert_int_equal(total, 5);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    temp_remove(&temp);
}

static void reading_goes_on_after_it(void)
{
    struct host host;
    struct count bytes = {0};
    ferry_stats stats;
    const ferry_service service = {.arg = &bytes, .on_data = count_bytes};
    struct pattern pattern = {.seed = 1};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_shutdown(watch_conn(&host.watch, 0));
    peer_expect_eof(fd);
    peer_write_pattern(fd, &pattern, scale(4 * 1024 * 1024));
    count_wait(&bytes, scale(4 * 1024 * 1024));
    assert_int_equal(count_get(&host.watch.closed), 0);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.received, scale(4 * 1024 * 1024));
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"right_after_64_mib_to_a_tiny_window", right_after_64_mib_to_a_tiny_window},
    {"right_after_64_mib_on_the_loop", right_after_64_mib_on_the_loop},
    {"right_after_a_file", right_after_a_file},
    {"without_a_byte_sent", without_a_byte_sent},
    {"it_is_idempotent_from_any_thread", it_is_idempotent_from_any_thread},
    {"sends_after_it_are_dropped_and_counted", sends_after_it_are_dropped_and_counted},
    {"reading_goes_on_after_it", reading_goes_on_after_it},
    {NULL, NULL},
};
