/* SPDX-License-Identifier: MIT
 *
 * Stopping a pool: what is on its way may finish, what is idle closes, and what does not finish in time is cut.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};
static const ferry_service plain = {.high_water = 0};

enum { SIZE = 8 * 1024 * 1024, PIECE = 64 * 1024 };

static void start_pool(struct host *host, const ferry_service *service, unsigned grace_ms)
{
    host_init(host, service);
    host_run(host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2, .grace_ms = grace_ms});
}

static void send_by_blob(ferry_conn *conn, const struct temp *temp)
{
    char *data = pattern_new(1, SIZE);
    ferry_blob *blob = ferry_blob_wrap(data, SIZE, free);
    (void)temp;
    assert_non_null(blob);
    ferry_send_blob(conn, blob);
    ferry_blob_unref(blob);
}

static void send_by_file(ferry_conn *conn, const struct temp *temp)
{
    ferry_file *file = ferry_file_open(temp->path);
    assert_non_null(file);
    ferry_send_file(conn, file, 0, SIZE);
    ferry_file_unref(file);
}

/* The third has no more than a piece on its way at a time: its on_drain sends the next. */
static void send_piece(ferry_conn *conn, void *arg)
{
    struct pattern *pattern = ferry_conn_context(conn);
    char data[PIECE];
    (void)arg;
    if (pattern == NULL || pattern->at == SIZE)
        return;
    pattern_fill(pattern, data, sizeof data);
    ferry_send(conn, data, sizeof data);
}

static void begin_pieces(void *arg)
{
    ferry_conn *conn = arg;
    struct pattern *pattern = calloc(1, sizeof *pattern);
    assert_non_null(pattern);
    pattern->seed = 1;
    ferry_conn_set_context(conn, pattern, free);
    send_piece(conn, NULL);
}

static void send_by_pieces(ferry_conn *conn, const struct temp *temp)
{
    (void)temp;
    ferry_post(ferry_conn_loop(conn), begin_pieces, conn);
}

/* Each of the three ways is under way when the pool is stopped; a fourth connection is idle. */
static void what_is_under_way_is_finished(void)
{
    static const ferry_service service = {.on_drain = send_piece, .socket.send_buffer = 16 * 1024};
    static void (*const ways[])(ferry_conn *, const struct temp *) = {send_by_blob, send_by_file, send_by_pieces};
    struct host host;
    struct temp temp;
    int fds[4];
    temp_fill(&temp, 1, SIZE);
    start_pool(&host, &service, 30000);
    for (size_t i = 0; i < 4; i++) {
        fds[i] = peer_connect_with(host.address, &tiny);
        (void)watch_conn(&host.watch, i);
    }
    struct pattern first[4] = {{.seed = 1}, {.seed = 1}, {.seed = 1}, {.seed = 1}};
    for (size_t i = 0; i < 3; i++) {
        ways[i](watch_conn(&host.watch, i), &temp);
        peer_read_pattern(fds[i], &first[i], 1000);
    }
    ferry_pool_stop(host.pool);
    peer_expect_eof(fds[3]);
    peer_close(fds[3]);
    for (size_t i = 0; i < 3; i++) {
        case_row("connection %zu", i);
        peer_read_pattern(fds[i], &first[i], SIZE - 1000);
        peer_expect_eof(fds[i]);
        peer_close(fds[i]);
    }
    assert_int_equal(pthread_join(host.thread, NULL), 0);
    assert_int_equal(count_get(&host.watch.closed), 4);
    for (size_t i = 0; i < 4; i++)
        assert_reason(ferry_conn_error(watch_conn(&host.watch, i)), 0);
    ferry_pool_free(host.pool);
    watch_fini(&host.watch);
    temp_remove(&temp);
}

static void fill(ferry_conn *conn)
{
    char *data = pattern_new(1, SIZE);
    ferry_send(conn, data, SIZE);
    free(data);
}

static void when_the_grace_time_is_over_the_rest_is_cut(void)
{
    struct host host;
    ferry_stats stats;
    start_pool(&host, &plain, 200);
    int fd = peer_connect_with(host.address, &tiny);
    fill(watch_conn(&host.watch, 0));
    uint64_t begin = now_ns();
    ferry_pool_stop(host.pool);
    assert_reason(watch_reason(&host.watch, 0, &stats), -ECANCELED);
    assert_true(now_ns() - begin >= 200 * 1000000U);
    assert_true(stats.unsent > 0);
    assert_int_equal(stats.verdict, FERRY_VERDICT_RESET);
    assert_int_equal(peer_read_to_end(fd, NULL, NULL), ECONNRESET);
    peer_close(fd);
    host_stop(&host);
}

/* The grace time would be an hour. */
static void a_second_stop_cuts_at_once(void)
{
    struct host host;
    ferry_loop_counters counters;
    start_pool(&host, &plain, 3600 * 1000);
    int fd = peer_connect_with(host.address, &tiny);
    fill(watch_conn(&host.watch, 0));
    ferry_pool_stop(host.pool);
    host_counters(&host, 0, &counters); /* loop 0 has heard of it, and has the connection still */
    assert_int_equal(counters.conns, 1);
    ferry_pool_stop(host.pool);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ECANCELED);
    peer_close(fd);
    host_stop(&host);
}

/* The listener is gone at once, while a transfer holds the pool. */
static bool refused(void *arg)
{
    struct host *host = arg;
    int fd = peer_socket(host->address, NULL);
    int result = peer_join(fd, host->address);
    peer_close(fd);
    return result == -ECONNREFUSED;
}

static void listeners_close_at_once(void)
{
    struct host host;
    struct pattern pattern = {.seed = 1};
    start_pool(&host, &plain, 30000);
    int fd = peer_connect_with(host.address, &tiny);
    fill(watch_conn(&host.watch, 0));
    ferry_pool_stop(host.pool);
    wait_until(refused, &host);
    peer_read_pattern(fd, &pattern, SIZE);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_int_equal(pthread_join(host.thread, NULL), 0);
    ferry_pool_free(host.pool);
    watch_fini(&host.watch);
}

static void a_signal_stops_it_gracefully(void)
{
    struct host host;
    struct pattern pattern = {.seed = 1};
    host_init(&host, &plain);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2, .grace_ms = 30000, .handle_signals = true});
    int fd = peer_connect_with(host.address, &tiny);
    fill(watch_conn(&host.watch, 0));
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    peer_read_pattern(fd, &pattern, SIZE);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_int_equal(pthread_join(host.thread, NULL), 0);
    assert_reason(ferry_conn_error(watch_conn(&host.watch, 0)), 0);
    ferry_pool_free(host.pool);
    watch_fini(&host.watch);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The other loop may have ended. */
static void settle_loop_of(struct host *host, ferry_conn *conn)
{
    unsigned index = ferry_conn_loop(conn) == ferry_pool_loop(host->pool, 0) ? 0 : 1;
    host_call(host, index, nothing, NULL);
}

/* Nothing is queued, but another thread says that more will come. */
static void a_busy_connection_is_waited_for(void)
{
    struct host host;
    char bytes[4];
    start_pool(&host, &plain, 30000);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_conn_set_busy(conn, true);
    int idle = peer_connect(host.address);
    (void)watch_conn(&host.watch, 1);
    host_settle(&host);
    ferry_pool_stop(host.pool);
    peer_expect_eof(idle);
    assert_false(peer_readable(fd));
    ferry_send(conn, "rest", 4);
    peer_read(fd, bytes, 4);
    assert_memory_equal(bytes, "rest", 4);
    settle_loop_of(&host, conn); /* so that nothing but this has the loop look again: */
    ferry_conn_set_busy(conn, false);
    peer_expect_eof(fd);
    peer_close(fd);
    peer_close(idle);
    assert_int_equal(pthread_join(host.thread, NULL), 0);
    ferry_pool_free(host.pool);
    watch_fini(&host.watch);
}

/* A pool that is freed without having run, or after a few turns: what is open ends with its on_close. */
static void freed_with_connections_open(void)
{
    struct host host;
    host_init(&host, &plain);
    host.pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(host.pool);
    host.listener = ferry_listen(host.pool, "127.0.0.1:0", &host.watch.service);
    assert_non_null(host.listener);
    host.address = ferry_listener_address(host.listener);
    int fds[3];
    for (size_t i = 0; i < 3; i++)
        fds[i] = peer_connect(host.address);
    while (count_get(&host.watch.opened) < 3)
        assert_int_equal(ferry_loop_turn(ferry_pool_loop(host.pool, 0), 10), 1);
    fill(watch_conn(&host.watch, 1));
    ferry_pool_free(host.pool);
    assert_int_equal(count_get(&host.watch.closed), 3);
    for (size_t i = 0; i < 3; i++) {
        int reason = ferry_conn_error(watch_conn(&host.watch, i));
        assert_true(reason == -ECONNABORTED || reason == -ECANCELED);
        assert_int_equal(peer_read_to_end(fds[i], NULL, NULL), ECONNRESET);
        peer_close(fds[i]);
    }
    watch_fini(&host.watch);
}

/* Listening without ever running: the peers wait in the kernel's queue, and are reset. */
static void freed_without_having_run(void)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(pool);
    ferry_listener *listener = ferry_listen(pool, "127.0.0.1:0", &plain);
    assert_non_null(listener);
    int fd = peer_connect(ferry_listener_address(listener));
    ferry_pool_free(pool);
    assert_int_equal(peer_read_to_end(fd, NULL, NULL), ECONNRESET);
    peer_close(fd);
}

/* Accepted before the stop, and handed over to a loop that has begun to stop: what its on_open sends still arrives. The first
 * connection holds the loop that accepts while the other begins. */
struct late {
    struct host host;
    struct count entered, released;
};

static void greet(ferry_conn *conn, void *arg)
{
    struct late *late = arg;
    if (ferry_conn_loop(conn) == ferry_pool_loop(late->host.pool, 0)) {
        count_add(&late->entered, 1);
        count_wait(&late->released, 1);
    }
    ferry_send(conn, "hello", 5);
}

static void hold_until(void *arg)
{
    count_wait(arg, 1);
}

static void one_that_comes_to_a_stopping_loop_is_greeted(void)
{
    struct late late = {0};
    struct count connected = {0};
    const ferry_service service = {.on_open = greet, .arg = &late};
    char hello[5];
    int fds[2];
    host_init(&late.host, &service);
    host_run(&late.host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    ferry_post(ferry_pool_loop(late.host.pool, 0), hold_until, &connected);
    for (size_t i = 0; i < 2; i++)
        fds[i] = peer_connect(late.host.address);
    count_add(&connected, 1);
    count_wait(&late.entered, 1);
    ferry_pool_stop(late.host.pool);
    for (size_t i = 0; i < 2; i++) /* the first may be run by the turn before */
        host_call(&late.host, 1, nothing, NULL);
    count_add(&late.released, 1);
    for (size_t i = 0; i < 2; i++) {
        peer_read(fds[i], hello, sizeof hello);
        assert_memory_equal(hello, "hello", sizeof hello);
        peer_expect_eof(fds[i]);
        peer_close(fds[i]);
    }
    host_stop(&late.host);
}

const struct test_case test_cases[] = {
    {"what_is_under_way_is_finished", what_is_under_way_is_finished},
    {"when_the_grace_time_is_over_the_rest_is_cut", when_the_grace_time_is_over_the_rest_is_cut},
    {"a_second_stop_cuts_at_once", a_second_stop_cuts_at_once},
    {"listeners_close_at_once", listeners_close_at_once},
    {"a_signal_stops_it_gracefully", a_signal_stops_it_gracefully},
    {"a_busy_connection_is_waited_for", a_busy_connection_is_waited_for},
    {"freed_with_connections_open", freed_with_connections_open},
    {"freed_without_having_run", freed_without_having_run},
    {"one_that_comes_to_a_stopping_loop_is_greeted", one_that_comes_to_a_stopping_loop_is_greeted},
    {NULL, NULL},
};
