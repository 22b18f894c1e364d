/* SPDX-License-Identifier: MIT
 *
 * Files on their way: ranges, order among messages, files that shrink and grow meanwhile, and who closes them.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};
static const ferry_service plain = {.high_water = 0};

enum { SIZE = 1024 * 1024 + 123 };

static ferry_file *open_file(const struct temp *temp)
{
    ferry_file *file = ferry_file_open(temp->path);
    assert_non_null(file);
    return file;
}

static const struct {
    uint64_t offset, len, expected;
} ranges[] = {
    {0, SIZE, SIZE},
    {0, FERRY_TO_END, SIZE},
    {1, FERRY_TO_END, SIZE - 1},
    {0, 1, 1},
    {4095, 4098, 4098},
    {65536, 65536, 65536},
    {SIZE - 1, 1, 1},
    {SIZE - 1, FERRY_TO_END, 1},
    {SIZE, FERRY_TO_END, 0},
    {SIZE, 0, 0},
    {123, 0, 0},
    {SIZE / 2, 300000, 300000},
};

enum { RANGES = sizeof ranges / sizeof ranges[0] };

static void ranges_between_messages(void)
{
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, SIZE);
    ferry_file *file = open_file(&temp);
    host_start(&host, &plain);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (size_t i = 0; i < RANGES; i++) {
        ferry_send(conn, &i, sizeof i);
        ferry_send_file(conn, file, ranges[i].offset, ranges[i].len);
    }
    ferry_shutdown(conn);
    for (size_t i = 0; i < RANGES; i++) {
        size_t number;
        struct pattern pattern = {.seed = 1, .at = ranges[i].offset};
        case_row("range %zu", i);
        peer_read(fd, &number, sizeof number);
        assert_int_equal(number, i);
        peer_read_pattern(fd, &pattern, ranges[i].expected);
    }
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    assert_int_equal(lseek(ferry_file_fd(file), 0, SEEK_CUR), 0);
    ferry_file_unref(file);
    host_stop(&host);
    temp_remove(&temp);
}

static void offsets_beyond_four_gib(void)
{
    static const uint64_t offsets[] = {(1ULL << 31) - 50000, (1ULL << 32) - 50000, 5ULL << 30, (6ULL << 30) - 100000};
    struct host host;
    struct temp temp;
    temp_init(&temp);
    assert_int_equal(ftruncate(temp.fd, (off_t)(6ULL << 30)), 0);
    for (size_t i = 0; i < 4; i++) {
        char *data = pattern_new(i, 100000);
        temp_write(&temp, offsets[i], data, 100000);
        free(data);
    }
    ferry_file *file = open_file(&temp);
    assert_int_equal(ferry_file_size(file), 6ULL << 30);
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (size_t i = 0; i < 4; i++)
        ferry_send_file(conn, file, offsets[i], i == 3 ? FERRY_TO_END : 100000);
    ferry_shutdown(conn);
    for (size_t i = 0; i < 4; i++) {
        struct pattern pattern = {.seed = i};
        case_row("offset %ju", (uintmax_t)offsets[i]);
        peer_read_pattern(fd, &pattern, 100000);
    }
    peer_expect_eof(fd);
    peer_close(fd);
    ferry_file_unref(file);
    host_stop(&host);
    temp_remove(&temp);
}

/* The peer must not take the part for the whole: it sees a reset, never a clean end. */
static void expect_cut(struct host *host, int fd, uint64_t len)
{
    struct pattern pattern = {.seed = 1};
    ferry_stats stats;
    uint64_t total;
    assert_int_equal(peer_read_to_end(fd, &pattern, &total), ECONNRESET);
    assert_true(total < len);
    peer_close(fd);
    assert_reason(watch_reason(&host->watch, 0, &stats), -ENODATA);
    assert_int_equal(stats.verdict, FERRY_VERDICT_RESET);
    assert_true(stats.unsent > 0);
}

static void truncated_on_its_way(void)
{
    static const ferry_service service = {.socket.send_buffer = 16 * 1024};
    struct host host;
    struct temp temp;
    uint64_t len = 4 * SIZE;
    temp_fill(&temp, 1, len);
    ferry_file *file = open_file(&temp);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, len);
    ferry_send(conn, "after", 5);
    ferry_shutdown(conn); /* would be a clean end, if the file were whole */
    ferry_file_unref(file);
    host_settle(&host);
    assert_int_equal(ftruncate(temp.fd, SIZE), 0);
    expect_cut(&host, fd, len);
    host_stop(&host);
    temp_remove(&temp);
}

static void truncated_before_its_turn(void)
{
    static const ferry_service service = {.socket.send_buffer = 16 * 1024};
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, SIZE);
    ferry_file *file = open_file(&temp);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    char *data = pattern_new(1, SIZE);
    ferry_send(conn, data, SIZE);
    free(data);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_shutdown(conn);
    ferry_file_unref(file);
    assert_int_equal(ftruncate(temp.fd, 0), 0);
    struct pattern pattern = {.seed = 1};
    uint64_t total;
    assert_int_equal(peer_read_to_end(fd, &pattern, &total), ECONNRESET);
    assert_true(total <= SIZE);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ENODATA);
    host_stop(&host);
    temp_remove(&temp);
}

/* Beyond the end of this file, of any of ext4, of any at all. */
static const struct {
    uint64_t offset, len;
} beyond[] = {
    {5000, 10000}, {0, UINT64_MAX - 1}, {1ULL << 45, 1}, {INT64_MAX, 1}, {1ULL << 63, 1}, {UINT64_MAX - 5, 10},
};

static void a_range_beyond_the_end(void)
{
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, 10000);
    ferry_file *file = open_file(&temp);
    host_start(&host, &plain);
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        case_row("from %ju on %ju", (uintmax_t)beyond[i].offset, (uintmax_t)beyond[i].len);
        int fd = peer_connect(host.address);
        ferry_conn *conn = watch_conn(&host.watch, i);
        ferry_send_file(conn, file, beyond[i].offset, beyond[i].len);
        ferry_shutdown(conn);
        assert_int_equal(peer_read_to_end(fd, NULL, NULL), ECONNRESET);
        peer_close(fd);
        assert_reason(watch_reason(&host.watch, i, NULL), -ENODATA);
    }
    ferry_file_unref(file);
    host_stop(&host);
    temp_remove(&temp);
}

/* A file that grows sends the length it had, or the length asked for. */
static void grown_on_its_way(void)
{
    struct host host;
    struct temp temp;
    static const char more[100000];
    temp_fill(&temp, 1, 4 * SIZE);
    ferry_file *file = open_file(&temp);
    host_start(&host, &plain);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_send_file(conn, file, SIZE, SIZE);
    ferry_shutdown(conn);
    ferry_file_unref(file);
    for (size_t i = 0; i < 10; i++)
        temp_write(&temp, 4 * SIZE + i * sizeof more, more, sizeof more);
    struct pattern pattern = {.seed = 1};
    peer_read_pattern(fd, &pattern, 4 * SIZE);
    pattern.at = SIZE;
    peer_read_pattern(fd, &pattern, SIZE);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    temp_remove(&temp);
}

/* "To the end" is the end at the time of the call, not when the file was opened. */
static void grown_before_the_call(void)
{
    struct host host;
    struct temp temp;
    struct pattern pattern = {.seed = 1};
    temp_fill(&temp, 1, 1000);
    ferry_file *file = open_file(&temp);
    char *data = pattern_new(1, 5000);
    temp_write(&temp, 1000, data + 1000, 4000);
    free(data);
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_shutdown(conn);
    ferry_file_unref(file);
    peer_read_pattern(fd, &pattern, 5000);
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
    temp_remove(&temp);
}

/* Twenty connections of two loops read different parts of one file at once; it is closed with the last of them. */
static void many_connections_share_one_descriptor(void)
{
    enum { CONNS = 20 };
    static const ferry_service service = {.socket.send_buffer = 16 * 1024}; /* none of them fits into it whole */
    struct host host;
    struct temp temp;
    int fds[CONNS];
    temp_fill(&temp, 1, SIZE);
    host_init(&host, &service);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    for (size_t i = 0; i < CONNS; i++) {
        fds[i] = peer_connect_with(host.address, &tiny);
        (void)watch_conn(&host.watch, i);
    }
    int before = case_descriptors();
    ferry_file *file = open_file(&temp);
    for (size_t i = 0; i < CONNS; i++)
        ferry_send_file(watch_conn(&host.watch, i), file, i * 1000, FERRY_TO_END);
    ferry_file_unref(file);
    assert_int_equal(case_descriptors(), before + 1);
    for (size_t i = 0; i < CONNS; i++) {
        struct pattern pattern = {.seed = 1, .at = i * 1000};
        peer_read_pattern(fds[i], &pattern, SIZE - i * 1000);
    }
    count_wait(&host.watch.drains, CONNS);
    host_settle(&host);
    assert_int_equal(case_descriptors(), before);
    for (size_t i = 0; i < CONNS; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, CONNS);
    host_stop(&host);
    temp_remove(&temp);
}

static void a_dead_connection_lets_the_file_go(void)
{
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, 8 * SIZE);
    host_start(&host, &plain);
    int before = case_descriptors();
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_file *file = open_file(&temp);
    for (size_t i = 0; i < 50; i++)
        ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_file_unref(file);
    peer_reset(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ECONNRESET);
    host_settle(&host);
    assert_int_equal(case_descriptors(), before);
    host_stop(&host);
    temp_remove(&temp);
}

/* A long file is sent in full segments; the last of them, and what follows it, must not wait to be filled. */
static void nothing_is_held_back_behind_a_file(void)
{
    struct host host;
    struct temp temp;
    struct pattern pattern = {.seed = 1};
    int corked = -1;
    socklen_t len = sizeof corked;
    char end[3];
    temp_fill(&temp, 1, SIZE);
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_file *file = open_file(&temp);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_send(conn, "end", 3);
    ferry_file_unref(file);
    peer_read_pattern(fd, &pattern, SIZE);
    peer_read(fd, end, sizeof end);
    host_settle(&host);
    assert_int_equal(getsockopt(peer_other_end(peer_port(fd)), IPPROTO_TCP, TCP_CORK, &corked, &len), 0);
    assert_int_equal(corked, 0);
    peer_close(fd);
    host_stop(&host);
    temp_remove(&temp);
}

const struct test_case test_cases[] = {
    {"ranges_between_messages", ranges_between_messages},
    {"offsets_beyond_four_gib", offsets_beyond_four_gib},
    {"truncated_on_its_way", truncated_on_its_way},
    {"truncated_before_its_turn", truncated_before_its_turn},
    {"a_range_beyond_the_end", a_range_beyond_the_end},
    {"grown_on_its_way", grown_on_its_way},
    {"grown_before_the_call", grown_before_the_call},
    {"many_connections_share_one_descriptor", many_connections_share_one_descriptor},
    {"a_dead_connection_lets_the_file_go", a_dead_connection_lets_the_file_go},
    {"nothing_is_held_back_behind_a_file", nothing_is_held_back_behind_a_file},
    {NULL, NULL},
};
