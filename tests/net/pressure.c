/* SPDX-License-Identifier: MIT
 *
 * Backpressure: the two marks always in pairs, and on_drain after every completed send.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

enum { HIGH = 200000, LOW = 50000, PIECE = 30000, BULK = 1000000 };

static void send_pattern(ferry_conn *conn, uint64_t seed, size_t len)
{
    char *data = pattern_new(seed, len);
    ferry_send(conn, data, len);
    free(data);
}

static void check_high(ferry_conn *conn, size_t pending, void *arg)
{
    (void)arg;
    assert_true(pending > HIGH);
    assert_true(ferry_conn_pending(conn) > 0);
}

static void check_low(ferry_conn *conn, size_t pending, void *arg)
{
    (void)arg;
    assert_true(pending <= LOW);
    assert_true(ferry_conn_pending(conn) <= LOW);
}

static void check_drained(ferry_conn *conn, void *arg)
{
    (void)arg;
    assert_int_equal(ferry_conn_pending(conn), 0);
}

static const ferry_service marked = {.on_high_water = check_high,
                                     .on_low_water = check_low,
                                     .on_drain = check_drained,
                                     .high_water = HIGH,
                                     .low_water = LOW,
                                     .socket.send_buffer = 16 * 1024};

static void finish(struct host *host, int fd)
{
    ferry_shutdown(watch_conn(&host->watch, 0));
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host->watch, 0, NULL), 0);
    host_stop(host);
}

/* Up and down, some rounds: exactly one pair a round. */
static void the_marks_come_in_pairs(void)
{
    struct host host;
    host_start(&host, &marked);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (uint64_t round = 1; round <= 10; round++) {
        struct pattern pattern = {.seed = round};
        case_row("round %ju", (uintmax_t)round);
        send_pattern(conn, round, BULK);
        count_wait(&host.watch.highs, round);
        assert_int_equal(count_get(&host.watch.lows), round - 1);
        ferry_send(conn, "more", 4); /* beyond the mark already: no second call */
        host_settle(&host);
        assert_int_equal(count_get(&host.watch.highs), round);
        peer_read_pattern(fd, &pattern, BULK);
        count_wait(&host.watch.lows, round);
        char more[4];
        peer_read(fd, more, 4);
        count_wait(&host.watch.drains, round);
        assert_int_equal(count_get(&host.watch.highs), round);
    }
    finish(&host, fd);
}

/* A queue that grows piece by piece crosses the mark once; one that stays below never does. */
static void only_crossing_the_mark_counts(void)
{
    struct host host;
    host_start(&host, &marked);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    send_pattern(conn, 1, HIGH);
    host_settle(&host);
    assert_true(ferry_conn_pending(conn) <= HIGH);
    assert_int_equal(count_get(&host.watch.highs), 0);
    for (size_t i = 0; i < 40; i++)
        send_pattern(conn, 2, PIECE);
    count_wait(&host.watch.highs, 1);
    struct pattern pattern = {.seed = 1};
    peer_read_pattern(fd, &pattern, HIGH);
    for (size_t i = 0; i < 40; i++) {
        pattern = (struct pattern){.seed = 2};
        peer_read_pattern(fd, &pattern, PIECE);
    }
    count_wait(&host.watch.lows, 1);
    count_wait(&host.watch.drains, 1);
    assert_int_equal(count_get(&host.watch.highs), 1);
    assert_int_equal(count_get(&host.watch.lows), 1);
    finish(&host, fd);
}

/* Bytes of a file are not bytes of memory: they move no mark. */
static void files_move_no_mark(void)
{
    struct host host;
    struct temp temp;
    struct pattern pattern = {.seed = 1};
    temp_fill(&temp, 1, 4 * BULK);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_start(&host, &marked);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_file_unref(file);
    host_settle(&host);
    assert_true(ferry_conn_pending(conn) > HIGH); /* but they are pending */
    peer_read_pattern(fd, &pattern, 4 * BULK);
    count_wait(&host.watch.drains, 1);
    assert_int_equal(count_get(&host.watch.highs), 0);
    finish(&host, fd);
    temp_remove(&temp);
}

static void send_small(void *conn)
{
    ferry_send(conn, "small", 5);
}

/* Also a send that the kernel takes at once is told of, whichever thread made it. */
static void each_completed_send_drains(void)
{
    struct host host;
    char bytes[5];
    host_start(&host, &marked);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (uint64_t i = 0; i < 100; i++) {
        if (i % 2 == 0)
            host_call(&host, 0, send_small, conn);
        else
            send_small(conn);
        count_wait(&host.watch.drains, i + 1);
        peer_read(fd, bytes, 5);
    }
    finish(&host, fd);
}

static size_t echo_three_times(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 3; i++)
        ferry_send(conn, data, len);
    return len;
}

/* Several sends of one callback may go out as one; they are followed by a drain. */
static void sends_of_a_callback_drain(void)
{
    static const ferry_service service = {.on_data = echo_three_times, .on_drain = check_drained};
    struct host host;
    char bytes[6];
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    for (size_t i = 0; i < 50; i++) {
        peer_write(fd, "ab", 2);
        peer_read(fd, bytes, 6);
        assert_memory_equal(bytes, "ababab", 6);
        count_wait(&host.watch.drains, i + 1);
    }
    finish(&host, fd);
}

/* The next piece from on_drain: the classic way to send what does not fit in memory. */
struct pump {
    struct pattern pattern;
    size_t pieces;
};

static void send_piece(ferry_conn *conn, void *arg)
{
    struct pump *pump = arg;
    char data[PIECE];
    assert_int_equal(ferry_conn_pending(conn), 0);
    if (pump->pieces == 0) {
        ferry_shutdown(conn);
        return;
    }
    pump->pieces--;
    pattern_fill(&pump->pattern, data, sizeof data);
    ferry_send(conn, data, sizeof data);
}

static void pieces_follow_each_other_from_on_drain(void)
{
    struct host host;
    struct pump pump = {.pattern.seed = 4, .pieces = scale(1000)};
    uint64_t len = pump.pieces * (uint64_t)PIECE;
    const ferry_service service = {.arg = &pump, .on_open = send_piece, .on_drain = send_piece};
    struct pattern pattern = {.seed = 4};
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    peer_read_pattern(fd, &pattern, len);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* A relay that stops reading at the high mark and goes on at the low one holds no more than the marks allow. */
static void stop_reading(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending;
    (void)arg;
    ferry_conn_pause(conn);
}

static void read_on(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending;
    (void)arg;
    ferry_conn_resume(conn);
}

static size_t echo_bounded(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    assert_true(ferry_conn_pending(conn) < 2 * 1024 * 1024);
    return len;
}

static void *write_all(void *arg)
{
    struct pattern pattern = {.seed = 5};
    peer_write_pattern(*(int *)arg, &pattern, scale(32 * 1024 * 1024));
    peer_half_close(*(int *)arg);
    return NULL;
}

static void a_relay_holds_no_more_than_its_marks(void)
{
    static const ferry_service service = {.on_data = echo_bounded,
                                          .on_high_water = stop_reading,
                                          .on_low_water = read_on,
                                          .high_water = HIGH,
                                          .low_water = LOW,
                                          .socket.send_buffer = 16 * 1024};
    struct host host;
    struct pattern pattern = {.seed = 5};
    pthread_t writer;
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    assert_int_equal(pthread_create(&writer, NULL, write_all, &fd), 0);
    count_wait(&host.watch.highs, 1);
    peer_read_pattern(fd, &pattern, scale(32 * 1024 * 1024));
    peer_expect_eof(fd);
    assert_int_equal(pthread_join(writer, NULL), 0);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"the_marks_come_in_pairs", the_marks_come_in_pairs},
    {"only_crossing_the_mark_counts", only_crossing_the_mark_counts},
    {"files_move_no_mark", files_move_no_mark},
    {"each_completed_send_drains", each_completed_send_drains},
    {"sends_of_a_callback_drain", sends_of_a_callback_drain},
    {"pieces_follow_each_other_from_on_drain", pieces_follow_each_other_from_on_drain},
    {"a_relay_holds_no_more_than_its_marks", a_relay_holds_no_more_than_its_marks},
    {NULL, NULL},
};
