/* SPDX-License-Identifier: MIT
 *
 * Limits of what may be queued: of a connection, by closing it or by dropping whole messages, and of a pool.
 */
#include "case.h"
#include "frames.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

enum { LIMIT = 500000, MESSAGES = 2000 };

static struct count released;

static void release(void *data)
{
    free(data);
    count_add(&released, 1);
}

static void send_frame(ferry_conn *conn, uint32_t number, size_t length)
{
    size_t total;
    char *frame = frame_new(0, number, length, &total);
    if (number % 3 == 0) {
        ferry_blob *blob = ferry_blob_wrap(frame, total, release);
        assert_non_null(blob);
        ferry_send_blob(conn, blob);
        ferry_blob_unref(blob);
    } else if (number % 3 == 1) {
        ferry_send_owned(conn, frame, total, release);
    } else {
        ferry_send(conn, frame, total);
        release(frame);
    }
}

static void beyond_it_the_connection_closes(void)
{
    static const ferry_service service = {.max_pending = LIMIT, .socket.send_buffer = 16 * 1024};
    struct host host;
    ferry_stats stats;
    uint64_t before = count_get(&released);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    uint32_t sent = 0;
    while (ferry_conn_error(conn) == 0) {
        assert_true(sent < MESSAGES);
        send_frame(conn, sent++, 10000);
        assert_true(ferry_conn_pending(conn) <= LIMIT);
    }
    assert_int_equal(peer_read_to_end(fd, NULL, NULL), ECONNRESET);
    assert_reason(watch_reason(&host.watch, 0, &stats), -ENOBUFS);
    assert_reason(ferry_conn_error(conn), -ENOBUFS);
    assert_int_equal(stats.verdict, FERRY_VERDICT_RESET);
    assert_true(stats.unsent > LIMIT / 2);
    assert_true(stats.unsent <= LIMIT);
    peer_close(fd);
    host_stop(&host);
    assert_int_equal(count_get(&released) - before, sent);
}

/* A reader that keeps up may take any amount. */
static void a_reader_that_keeps_up_is_not_closed(void)
{
    static const ferry_service service = {.max_pending = LIMIT};
    struct host host;
    struct frame_reader reader = {.gaps = false};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (uint32_t i = 0; i < scale(500); i++) {
        send_frame(conn, i, 100000);
        assert_true(frame_read(&reader, fd));
    }
    ferry_shutdown(conn);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

static const ferry_service dropping = {
    .max_pending = LIMIT, .overflow = FERRY_OVERFLOW_DROP, .socket.send_buffer = 16 * 1024};

/* What is left of the stream is whole messages; the counters know of the others. */
static void or_whole_messages_are_dropped(void)
{
    struct host host;
    ferry_stats stats;
    ferry_loop_counters counters;
    struct frame_reader reader = {.gaps = true};
    uint64_t series = 5;
    uint64_t before = count_get(&released);
    host_start(&host, &dropping);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        size_t length = random_below(&series, 30000);
        send_frame(conn, i, length);
        bytes += sizeof(struct frame_head) + length;
        assert_true(ferry_conn_pending(conn) <= LIMIT);
    }
    ferry_conn_stats(conn, &stats);
    assert_true(stats.drops > MESSAGES / 2);
    assert_int_equal(stats.queued + stats.dropped, bytes);
    assert_reason(stats.drop_reason, -ENOBUFS);
    host_counters(&host, 0, &counters);
    assert_int_equal(counters.dropped, stats.drops);
    for (uint64_t i = 0; i < MESSAGES - stats.drops; i++)
        assert_true(frame_read(&reader, fd));
    count_wait(&host.watch.drains, 1);
    send_frame(conn, MESSAGES, 1000); /* there is room again */
    ferry_shutdown(conn);
    frames_read_to_eof(&reader, fd);
    assert_int_equal(reader.next[0], MESSAGES + 1);
    assert_int_equal(reader.bytes, stats.queued + sizeof(struct frame_head) + 1000);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    assert_int_equal(count_get(&released) - before, MESSAGES + 1);
}

/* A single message that is larger than the limit arrives whole or not at all. */
static void a_message_larger_than_the_limit(void)
{
    struct host host;
    ferry_stats stats;
    uint64_t total;
    host_start(&host, &dropping);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    char *data = pattern_new(1, 4 * LIMIT);
    struct pattern pattern = {.seed = 1};
    ferry_send(conn, data, 4 * LIMIT);
    free(data);
    ferry_shutdown(conn);
    ferry_conn_stats(conn, &stats);
    assert_int_equal(stats.queued + stats.dropped, 4 * LIMIT);
    assert_true(stats.queued == 0 || stats.dropped == 0);
    assert_int_equal(peer_read_to_end(fd, &pattern, &total), 0);
    assert_int_equal(total, stats.queued);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

static void *send_many(void *arg)
{
    static const char bytes[3000];
    for (size_t i = 0; i < MESSAGES; i++)
        ferry_send(arg, bytes, sizeof bytes);
    return NULL;
}

/* Many threads at once together queue no more than the limit, and count right. */
static void many_threads_share_the_limit(void)
{
    enum { THREADS = 4 };
    struct host host;
    ferry_stats stats;
    pthread_t threads[THREADS];
    uint64_t total;
    host_start(&host, &dropping);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, conn), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(ferry_conn_pending(conn) <= LIMIT);
    ferry_conn_stats(conn, &stats);
    assert_int_equal(stats.queued + stats.dropped, (uint64_t)THREADS * MESSAGES * 3000);
    assert_int_equal(stats.dropped, stats.drops * 3000);
    assert_true(stats.drops > 0);
    ferry_shutdown(conn);
    assert_int_equal(peer_read_to_end(fd, NULL, &total), 0);
    assert_int_equal(total, stats.queued);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* Two large messages at the same time, each of which fits alone: one of them must be dropped. */
struct rival {
    ferry_conn *conn;
    pthread_barrier_t *start;
    pthread_t thread;
};

static void *send_large(void *arg)
{
    static const char bytes[LIMIT * 9 / 10];
    struct rival *rival = arg;
    (void)pthread_barrier_wait(rival->start);
    ferry_send(rival->conn, bytes, sizeof bytes);
    return NULL;
}

static void two_large_messages_at_once(void)
{
    struct host host;
    struct rival rivals[2];
    pthread_barrier_t start;
    size_t rounds = scale(300);
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    host_start(&host, &dropping);
    for (size_t round = 0; round < rounds; round++) {
        int fd = peer_connect_with(host.address, &tiny);
        ferry_conn *conn = watch_conn(&host.watch, round);
        for (size_t i = 0; i < 2; i++) {
            rivals[i] = (struct rival){.conn = conn, .start = &start};
            assert_int_equal(pthread_create(&rivals[i].thread, NULL, send_large, &rivals[i]), 0);
        }
        for (size_t i = 0; i < 2; i++)
            assert_int_equal(pthread_join(rivals[i].thread, NULL), 0);
        assert_in_range(ferry_conn_pending(conn), 1, LIMIT);
        peer_reset(fd);
        count_wait(&host.watch.closed, round + 1);
    }
    host_stop(&host);
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static void files_do_not_count(void)
{
    static const ferry_service service = {.max_pending = 64 * 1024, .socket.send_buffer = 16 * 1024};
    struct host host;
    struct temp temp;
    struct pattern pattern = {.seed = 1};
    uint64_t len = scale(16 * 1024 * 1024);
    temp_fill(&temp, 1, len);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, len);
    ferry_send_file(conn, file, 0, len);
    ferry_send(conn, "end", 3);
    ferry_file_unref(file);
    assert_true(ferry_conn_pending(conn) > len);
    peer_read_pattern(fd, &pattern, len);
    pattern.at = 0;
    peer_read_pattern(fd, &pattern, len);
    char end[3];
    peer_read(fd, end, 3);
    assert_memory_equal(end, "end", 3);
    ferry_shutdown(conn);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    temp_remove(&temp);
}

enum { BUDGET = 2000000, READERS = 8 };

static size_t pending_of_all(struct host *host, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += ferry_conn_pending(watch_conn(&host->watch, i));
    return sum;
}

static void overload(struct host *host, int fds[READERS])
{
    static const char bytes[50000];
    for (size_t i = 0; i < READERS; i++) {
        fds[i] = peer_connect_with(host->address, &tiny);
        (void)watch_conn(&host->watch, i);
    }
    for (size_t round = 0; round < 20; round++)
        for (size_t i = 0; i < READERS; i++) {
            ferry_send(watch_conn(&host->watch, i), bytes, sizeof bytes);
            assert_true(pending_of_all(host, READERS) <= BUDGET);
        }
}

/* Twenty rounds over eight readers are four times the budget: some are closed, and give back what they held. */
static void a_pool_has_a_budget(void)
{
    static const ferry_service service = {.socket.send_buffer = 16 * 1024};
    struct host host;
    int fds[READERS];
    host_init(&host, &service);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2, .max_pending = BUDGET});
    overload(&host, fds);
    size_t cut = 0;
    for (size_t i = 0; i < READERS; i++) {
        int reason = ferry_conn_error(watch_conn(&host.watch, i));
        assert_true(reason == 0 || reason == -ENOBUFS);
        cut += reason != 0;
    }
    assert_in_range(cut, 1, READERS);
    for (size_t i = 0; i < READERS; i++)
        peer_reset(fds[i]);
    count_wait(&host.watch.closed, READERS);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, READERS);
    struct pattern pattern = {.seed = 8};
    char *data = pattern_new(8, BUDGET - 100000);
    ferry_send(conn, data, BUDGET - 100000); /* nearly all of it, by one */
    free(data);
    assert_reason(ferry_conn_error(conn), 0);
    peer_read_pattern(fd, &pattern, BUDGET - 100000);
    peer_close(fd);
    host_stop(&host);
}

/* The budget follows the policy of the connection that exceeds it. */
static void a_budget_may_drop(void)
{
    static const ferry_service service = {.overflow = FERRY_OVERFLOW_DROP, .socket.send_buffer = 16 * 1024};
    struct host host;
    int fds[READERS];
    uint64_t dropped = 0;
    host_init(&host, &service);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2, .max_pending = BUDGET});
    overload(&host, fds);
    for (size_t i = 0; i < READERS; i++) {
        ferry_stats stats;
        ferry_conn *conn = watch_conn(&host.watch, i);
        uint64_t total;
        ferry_shutdown(conn);
        ferry_conn_stats(conn, &stats);
        assert_int_equal(stats.queued + stats.dropped, 20 * 50000);
        assert_int_equal(stats.queued % 50000, 0);
        assert_int_equal(peer_read_to_end(fds[i], NULL, &total), 0);
        assert_int_equal(total, stats.queued);
        dropped += stats.drops;
        peer_close(fds[i]);
    }
    assert_true(dropped > 0);
    count_wait(&host.watch.closed, READERS);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"beyond_it_the_connection_closes", beyond_it_the_connection_closes},
    {"a_reader_that_keeps_up_is_not_closed", a_reader_that_keeps_up_is_not_closed},
    {"or_whole_messages_are_dropped", or_whole_messages_are_dropped},
    {"a_message_larger_than_the_limit", a_message_larger_than_the_limit},
    {"many_threads_share_the_limit", many_threads_share_the_limit},
    {"two_large_messages_at_once", two_large_messages_at_once},
    {"files_do_not_count", files_do_not_count},
    {"a_pool_has_a_budget", a_pool_has_a_budget},
    {"a_budget_may_drop", a_budget_may_drop},
    {NULL, NULL},
};
