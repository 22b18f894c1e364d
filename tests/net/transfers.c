/* SPDX-License-Identifier: MIT
 *
 * A file with a handle: progress, one verdict in every ending, giving it up, and its rate.
 */
#include "case.h"
#include "host.h"
#include "inside.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};
static const ferry_service small_buffers = {.socket.send_buffer = 16 * 1024};

enum { SIZE = 4 * 1024 * 1024 };

struct tale {
    ferry_conn *conn;
    uint64_t last_sent, last_turn;
    struct count progress, done;
    uint64_t sent;
    int verdict;
};

static void hear_progress(ferry_conn *conn, uint64_t sent, void *arg)
{
    struct tale *tale = arg;
    assert_false(inside_call());
    assert_ptr_equal(conn, tale->conn);
    assert_ptr_equal(ferry_loop_current(), ferry_conn_loop(conn));
    assert_int_equal(count_get(&tale->done), 0);
    assert_true(sent > tale->last_sent);
    assert_true(sent <= SIZE);
    assert_true(ferry_loop_now(ferry_loop_current()) > tale->last_turn); /* at most once a turn */
    tale->last_sent = sent;
    tale->last_turn = ferry_loop_now(ferry_loop_current());
    count_add(&tale->progress, 1);
}

static void hear_done(ferry_conn *conn, uint64_t sent, int verdict, void *arg)
{
    struct tale *tale = arg;
    assert_false(inside_call());
    assert_ptr_equal(conn, tale->conn);
    assert_ptr_equal(ferry_loop_current(), ferry_conn_loop(conn));
    assert_true(sent >= tale->last_sent);
    tale->sent = sent;
    tale->verdict = verdict;
    count_add(&tale->done, 1);
}

static ferry_transfer *start(struct tale *tale, ferry_conn *conn, const struct temp *temp, uint64_t rate)
{
    const ferry_transfer_options options = {
        .rate = rate, .on_progress = hear_progress, .on_done = hear_done, .arg = tale};
    ferry_file *file = ferry_file_open(temp->path);
    assert_non_null(file);
    *tale = (struct tale){.conn = conn};
    ferry_transfer *transfer = ferry_send_file_as(conn, file, 0, SIZE, &options);
    assert_non_null(transfer);
    ferry_file_unref(file);
    return transfer;
}

static void progress_and_one_verdict(void)
{
    struct host host;
    struct temp temp;
    struct tale tale;
    struct pattern pattern = {.seed = 1};
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &small_buffers);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_transfer *transfer = start(&tale, watch_conn(&host.watch, 0), &temp, 0);
    peer_read_pattern(fd, &pattern, SIZE);
    count_wait(&tale.done, 1);
    assert_reason(tale.verdict, 0);
    assert_int_equal(tale.sent, SIZE);
    assert_true(count_get(&tale.progress) > 0);
    assert_int_equal(ferry_transfer_sent(transfer), SIZE);
    ferry_transfer_cancel(transfer); /* too late to mean anything */
    host_settle(&host);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    assert_int_equal(count_get(&tale.done), 1);
    assert_int_equal(ferry_transfer_sent(transfer), SIZE);
    ferry_transfer_unref(transfer);
    ferry_transfer_unref(NULL);
    temp_remove(&temp);
}

/* Endings of a transfer under way, and of one that waits its turn. */
enum stage { UNDER_WAY, WAITING };

static void be_reset(struct host *host, int *fd, struct temp *temp)
{
    (void)host;
    (void)temp;
    peer_reset(*fd);
    *fd = -1;
}

static void abort_it(struct host *host, int *fd, struct temp *temp)
{
    (void)fd;
    (void)temp;
    ferry_abort(watch_conn(&host->watch, 0));
}

static void truncate_it(struct host *host, int *fd, struct temp *temp)
{
    (void)host;
    assert_int_equal(ftruncate(temp->fd, 0), 0);
    (void)peer_read_to_end(*fd, NULL, NULL);
}

static void cut_the_pool(struct host *host, int *fd, struct temp *temp)
{
    (void)fd;
    (void)temp;
    ferry_pool_stop(host->pool);
    ferry_pool_stop(host->pool);
}

static const struct {
    const char *name;
    void (*end)(struct host *host, int *fd, struct temp *temp);
    int verdict;
} endings[] = {
    {"the peer resets", be_reset, -ECONNRESET},
    {"abort", abort_it, -ECONNABORTED},
    {"the file is truncated", truncate_it, -ENODATA},
    {"the pool is cut", cut_the_pool, -ECANCELED},
};

static void put_something_before(ferry_conn *conn)
{
    char *data = pattern_new(9, SIZE);
    ferry_send(conn, data, SIZE);
    free(data);
}

static void run_ending(size_t ending, enum stage stage)
{
    struct host host;
    struct temp temp;
    struct tale tale;
    case_row("%s, %s", endings[ending].name, stage == UNDER_WAY ? "under way" : "waiting");
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &small_buffers);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    if (stage == WAITING)
        put_something_before(conn);
    ferry_transfer *transfer = start(&tale, conn, &temp, 0);
    if (stage == UNDER_WAY)
        count_wait(&tale.progress, 1);
    endings[ending].end(&host, &fd, &temp);
    count_wait(&tale.done, 1);
    assert_reason(tale.verdict, endings[ending].verdict);
    assert_reason(watch_reason(&host.watch, 0, NULL), endings[ending].verdict);
    assert_int_equal(tale.sent > 0, stage == UNDER_WAY);
    assert_true(tale.sent < SIZE);
    assert_int_equal(ferry_transfer_sent(transfer), tale.sent);
    if (fd >= 0)
        peer_close(fd);
    host_stop(&host);
    assert_int_equal(count_get(&tale.done), 1);
    ferry_transfer_unref(transfer);
    temp_remove(&temp);
}

static void one_verdict_in_every_ending(void)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        run_ending(i, UNDER_WAY);
        run_ending(i, WAITING);
    }
}

/* On a connection that takes no more there is no transfer, and no callback follows. */
static void expect_refused(struct host *host, const struct temp *temp, int reason)
{
    struct tale tale = {.conn = NULL};
    const ferry_transfer_options options = {.on_progress = hear_progress, .on_done = hear_done, .arg = &tale};
    ferry_file *file = ferry_file_open(temp->path);
    assert_non_null(file);
    errno = 0;
    assert_null(ferry_send_file_as(watch_conn(&host->watch, 0), file, 0, SIZE, &options));
    assert_int_equal(errno, reason);
    ferry_file_unref(file);
    host_settle(host);
    assert_int_equal(count_get(&tale.done), 0);
}

static void a_transfer_that_comes_too_late(void)
{
    struct host host;
    struct temp temp;
    ferry_stats stats;
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &small_buffers);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_shutdown(conn);
    peer_expect_eof(fd);
    expect_refused(&host, &temp, ESHUTDOWN);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    expect_refused(&host, &temp, ENOTCONN);
    ferry_conn_stats(conn, &stats);
    assert_int_equal(stats.drops, 2);
    assert_int_equal(stats.dropped, 2 * SIZE);
    host_stop(&host);
    temp_remove(&temp);
}

/* A transfer that waits its turn is taken out of the queue as if it had never been sent. */
static void cancelled_before_it_begins(void)
{
    struct host host;
    struct temp temp;
    struct tale tale;
    ferry_stats stats;
    struct pattern before = {.seed = 9};
    char end[3];
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &small_buffers);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    put_something_before(conn);
    ferry_transfer *transfer = start(&tale, conn, &temp, 0);
    ferry_send(conn, "end", 3);
    ferry_transfer_cancel(transfer);
    ferry_transfer_cancel(transfer);
    peer_read_pattern(fd, &before, SIZE);
    peer_read(fd, end, 3);
    assert_memory_equal(end, "end", 3);
    count_wait(&tale.done, 1);
    assert_reason(tale.verdict, -ECANCELED);
    assert_int_equal(tale.sent, 0);
    ferry_shutdown(conn);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.dropped, SIZE);
    assert_int_equal(stats.drops, 1);
    assert_reason(stats.drop_reason, -ECANCELED);
    assert_int_equal(stats.written, SIZE + 3);
    host_stop(&host);
    assert_int_equal(count_get(&tale.done), 1);
    ferry_transfer_unref(transfer);
    temp_remove(&temp);
}

/* One that has begun cannot be taken back: the connection goes with it, and the peer is not deceived. */
static void cancelled_under_way(void)
{
    struct host host;
    struct temp temp;
    struct tale tale;
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &small_buffers);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_transfer *transfer = start(&tale, conn, &temp, 0);
    ferry_shutdown(conn);
    count_wait(&tale.progress, 1);
    ferry_transfer_cancel(transfer);
    struct pattern pattern = {.seed = 1};
    assert_int_equal(peer_read_to_end(fd, &pattern, NULL), ECONNRESET);
    count_wait(&tale.done, 1);
    assert_reason(tale.verdict, -ECANCELED);
    assert_true(tale.sent > 0);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ECANCELED);
    peer_close(fd);
    host_stop(&host);
    assert_int_equal(count_get(&tale.done), 1);
    ferry_transfer_unref(transfer);
    temp_remove(&temp);
}

static void *cancel_it(void *transfer)
{
    ferry_transfer_cancel(transfer);
    return NULL;
}

/* Cancelled by another thread at any moment: either the whole file came, or none, or the connection is gone. */
static void cancelled_at_any_moment(void)
{
    struct temp temp;
    temp_fill(&temp, 1, SIZE);
    for (size_t i = 0; i < scale(100); i++) {
        struct host host;
        struct tale tale;
        pthread_t thread;
        uint64_t total;
        struct pattern pattern = {.seed = 1};
        host_start(&host, &small_buffers);
        int fd = peer_connect(host.address);
        ferry_conn *conn = watch_conn(&host.watch, 0);
        ferry_transfer *transfer = start(&tale, conn, &temp, 0);
        ferry_shutdown(conn);
        peer_read_pattern(fd, &pattern, (i * 977) % 100000);
        assert_int_equal(pthread_create(&thread, NULL, cancel_it, transfer), 0);
        int end = peer_read_to_end(fd, &pattern, &total);
        assert_int_equal(pthread_join(thread, NULL), 0);
        count_wait(&tale.done, 1);
        assert_true(end == 0 ? tale.verdict == 0 || pattern.at == 0 : tale.verdict == -ECANCELED);
        assert_true(tale.verdict != 0 || pattern.at == SIZE);
        ferry_transfer_unref(transfer);
        peer_close(fd);
        host_stop(&host);
    }
    temp_remove(&temp);
}

/* The lower bound alone is asserted: a slow machine may take longer. */
static void the_rate_is_kept(void)
{
    enum { RATE = 4 * SIZE };
    struct host host;
    struct temp temp;
    struct tale tale;
    struct pattern pattern = {.seed = 1};
    char end[3];
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &(ferry_service){.high_water = 0}); /* nothing but the rate slows it down */
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    uint64_t begin = now_ns();
    ferry_transfer *transfer = start(&tale, conn, &temp, RATE);
    ferry_send(conn, "end", 3); /* waits for its turn */
    peer_read_pattern(fd, &pattern, SIZE / 2);
    assert_true(now_ns() - begin >= 100 * 1000000U); /* half of it takes 125 ms; a tenth is left for a first burst */
    peer_read_pattern(fd, &pattern, SIZE / 2);
    assert_true(now_ns() - begin >= 225 * 1000000U);
    peer_read(fd, end, 3);
    assert_memory_equal(end, "end", 3);
    count_wait(&tale.done, 1);
    assert_reason(tale.verdict, 0);
    ferry_transfer_unref(transfer);
    peer_close(fd);
    host_stop(&host);
    temp_remove(&temp);
}

const struct test_case test_cases[] = {
    {"progress_and_one_verdict", progress_and_one_verdict},
    {"one_verdict_in_every_ending", one_verdict_in_every_ending},
    {"a_transfer_that_comes_too_late", a_transfer_that_comes_too_late},
    {"cancelled_before_it_begins", cancelled_before_it_begins},
    {"cancelled_under_way", cancelled_under_way},
    {"cancelled_at_any_moment", cancelled_at_any_moment},
    {"the_rate_is_kept", the_rate_is_kept},
    {NULL, NULL},
};
