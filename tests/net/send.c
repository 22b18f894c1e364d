/* SPDX-License-Identifier: MIT
 *
 * One sender: every size and shape arrives whole, the call returns at once, no callback runs inside it, and a peer that
 * is gone is no reason for a signal.
 */
#include "case.h"
#include "host.h"
#include "inside.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static const ferry_service plain = {.high_water = 0};
static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

static void finish(struct host *host, int fd)
{
    ferry_shutdown(watch_conn(&host->watch, 0));
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host->watch, 0, NULL), 0);
    host_stop(host);
}

static void every_size_arrives(void)
{
    static const size_t sizes[] = {1,    2,    1000,  1447,  1448,  1449,  4095,  4096,   4097,
                                   8192, 8193, 16384, 65535, 65536, 65537, 99999, 1048576};
    struct host host;
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        case_row("size %zu", sizes[i]);
        struct pattern pattern = {.seed = i};
        char *data = pattern_new(i, sizes[i]);
        ferry_send(conn, data, sizes[i]);
        free(data); /* it was the caller's all the time */
        peer_read_pattern(fd, &pattern, sizes[i]);
    }
    finish(&host, fd);
}

static struct count released;

static void release(void *data)
{
    count_add(&released, 1);
    free(data);
}

/* Each of them sends nothing; what is owned is released all the same. */
static void send_nothing(ferry_conn *conn)
{
    struct temp temp;
    temp_fill(&temp, 1, 10);
    ferry_file *file = ferry_file_open(temp.path);
    ferry_blob *blob = ferry_blob_new("", 0);
    const struct iovec empty[3] = {{.iov_base = NULL}};
    assert_non_null(file);
    assert_non_null(blob);
    ferry_send(conn, NULL, 0);
    ferry_send(conn, "", 0);
    ferry_sendv(conn, NULL, 0);
    ferry_sendv(conn, empty, 3);
    ferry_send_blob(conn, blob);
    ferry_send_owned(conn, calloc(1, 1), 0, release);
    ferry_send_file(conn, file, 0, 0);
    ferry_send_file(conn, file, 10, FERRY_TO_END);
    ferry_blob_unref(blob);
    ferry_file_unref(file);
    temp_remove(&temp);
}

static void nothing_can_be_sent(void)
{
    struct host host;
    uint64_t before = count_get(&released);
    char bytes[2];
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    send_nothing(conn);
    ferry_send(conn, "a", 1);
    send_nothing(conn);
    ferry_send(conn, "b", 1);
    peer_read(fd, bytes, 2);
    assert_memory_equal(bytes, "ab", 2);
    count_wait(&released, before + 2);
    finish(&host, fd);
    assert_int_equal(count_get(&released), before + 2);
}

/* Vectors of any length, also beyond what one system call takes, with empty pieces in between. */
static void send_pieces(ferry_conn *conn, size_t count)
{
    struct iovec *vector = calloc(count + 1, sizeof *vector);
    assert_non_null(vector);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += i % 17;
    char *data = pattern_new(count, total);
    for (size_t i = 0, at = 0; i < count; at += i % 17, i++)
        vector[i] = (struct iovec){.iov_base = i % 17 != 0 ? data + at : NULL, .iov_len = i % 17};
    ferry_sendv(conn, vector, (int)count);
    free(data);
    free(vector);
}

static void vectors_of_any_length(void)
{
    static const size_t counts[] = {1, 2, 8, 9, 15, 16, 17, 64, 1023, 1024, 1025, 2049, 20000};
    struct host host;
    host_start(&host, &plain);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        send_pieces(conn, counts[i]);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        case_row("count %zu", counts[i]);
        struct pattern pattern = {.seed = counts[i]};
        size_t total = 0;
        for (size_t k = 0; k < counts[i]; k++)
            total += k % 17;
        peer_read_pattern(fd, &pattern, total);
    }
    finish(&host, fd);
}

static void one_huge_send_arrives(void)
{
    struct host host;
    size_t len = scale(64 * 1024 * 1024);
    struct pattern pattern = {.seed = 1};
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    char *data = pattern_new(1, len);
    ferry_send(watch_conn(&host.watch, 0), data, len);
    free(data);
    peer_read_pattern(fd, &pattern, len);
    finish(&host, fd);
}

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void ping_pong(int fd, size_t rounds)
{
    char bytes[4];
    for (size_t i = 0; i < rounds; i++) {
        peer_write(fd, "ping", 4);
        peer_read(fd, bytes, 4);
        assert_memory_equal(bytes, "ping", 4);
    }
}

struct flood {
    ferry_conn *conn;
    char *data;
    size_t len;
};

static void send_flood(void *arg)
{
    struct flood *flood = arg;
    ferry_send(flood->conn, flood->data, flood->len);
    assert_true(ferry_conn_pending(flood->conn) > 0);
}

/* The first peer reads nothing until the second has had its answers: a send that waited would never end. */
static void a_shut_window_stops_nobody(void)
{
    static const ferry_service service = {.on_data = echo, .socket.send_buffer = 16 * 1024};
    struct host host;
    struct flood flood = {.len = scale(32 * 1024 * 1024)};
    struct pattern pattern = {.seed = 9};
    host_start(&host, &service);
    int shut = peer_connect_with(host.address, &tiny);
    flood.conn = watch_conn(&host.watch, 0);
    flood.data = pattern_new(9, flood.len);
    host_call(&host, 0, send_flood, &flood);
    int other = peer_connect(host.address);
    ping_pong(other, 100);
    struct pattern again = {.seed = 10};
    char *more = pattern_new(10, flood.len);
    ferry_send(flood.conn, more, flood.len); /* and from another thread, behind the backlog */
    ping_pong(other, 100);
    peer_close(other);
    peer_read_pattern(shut, &pattern, flood.len);
    peer_read_pattern(shut, &again, flood.len);
    free(flood.data);
    free(more);
    peer_close(shut);
    host_stop(&host);
}

/* A reader that never stops, and messages that the kernel takes in part: it has room again while the sender, which is not
 * the loop, is still busy with the rest. That is told once, and must not be missed. */
struct eager {
    int fd;
    size_t len, rounds;
    struct count read;
    pthread_t thread;
};

static void *read_eagerly(void *arg)
{
    struct eager *eager = arg;
    for (size_t i = 0; i < eager->rounds; i++) {
        struct pattern pattern = {.seed = 6};
        peer_read_pattern(eager->fd, &pattern, eager->len);
        count_add(&eager->read, 1);
    }
    return NULL;
}

static void room_that_comes_while_another_thread_writes(void)
{
    static const ferry_service service = {.socket.send_buffer = 200 * 1024};
    struct host host;
    struct eager eager = {.len = 2000000, .rounds = scale(100)};
    host_start(&host, &service);
    eager.fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    assert_int_equal(pthread_create(&eager.thread, NULL, read_eagerly, &eager), 0);
    char *data = pattern_new(6, eager.len);
    for (size_t i = 0; i < eager.rounds; i++) {
        ferry_send(conn, data, eager.len);
        count_wait(&eager.read, i + 1); /* so that each finds the outbox idle */
    }
    free(data);
    assert_int_equal(pthread_join(eager.thread, NULL), 0);
    finish(&host, eager.fd);
}

/* Crosses high_water and drains to low_water inside single calls: the callbacks come all the same, and later. The
 * harness checks in each that no call is under way. */
static void cross_the_mark(void *arg)
{
    struct host *host = arg;
    ferry_conn *conn = watch_conn(&host->watch, 0);
    uint64_t before = count_get(&host->watch.highs);
    char *data = pattern_new(3, 8 * 1024 * 1024);
    ferry_send(conn, data, 8 * 1024 * 1024);
    free(data);
    assert_int_equal(count_get(&host->watch.highs), before);
}

static void no_callback_runs_inside_a_send(void)
{
    static const ferry_service service = {.high_water = 1024, .low_water = 512};
    struct host host;
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    struct pattern pattern = {.seed = 3};
    host_call(&host, 0, cross_the_mark, &host);
    count_wait(&host.watch.highs, 1);
    peer_read_pattern(fd, &pattern, 8 * 1024 * 1024);
    count_wait(&host.watch.lows, 1);
    count_wait(&host.watch.drains, 1);
    char *data = pattern_new(3, 8 * 1024 * 1024);
    ferry_send(conn, data, 8 * 1024 * 1024); /* from another thread, too */
    free(data);
    count_wait(&host.watch.highs, 2);
    pattern.at = 0;
    peer_read_pattern(fd, &pattern, 8 * 1024 * 1024);
    count_wait(&host.watch.lows, 2);
    finish(&host, fd);
}

/* With the default disposition a SIGPIPE would end the process. Each way of sending meets the end by itself: once one has,
 * the others are dropped. */
enum { WAYS = 5 };

struct deaf {
    ferry_conn *conn;
    ferry_file *file;
    size_t way;
};

static void send_blob(ferry_conn *conn)
{
    ferry_blob *blob = ferry_blob_new("blob", 4);
    assert_non_null(blob);
    ferry_send_blob(conn, blob);
    ferry_blob_unref(blob);
}

static void send_to_the_deaf(void *arg)
{
    static const struct iovec vector[2] = {{.iov_base = "ab", .iov_len = 2}, {.iov_base = "c", .iov_len = 1}};
    const struct deaf *deaf = arg;
    switch (deaf->way) {
    case 0:
        ferry_send_file(deaf->conn, deaf->file, 0, FERRY_TO_END);
        break;
    case 1:
        ferry_send(deaf->conn, "abc", 3);
        break;
    case 2:
        ferry_sendv(deaf->conn, vector, 2);
        break;
    case 3:
        send_blob(deaf->conn);
        break;
    default:
        ferry_send_owned(deaf->conn, calloc(1, 5), 5, release);
        break;
    }
}

static void send_until_closed(struct host *host, ferry_file *file, size_t way, bool on_the_loop)
{
    struct deaf deaf = {.conn = watch_conn(&host->watch, 0), .file = file, .way = way};
    uint64_t end = now_ms() + case_patience_ms();
    while (count_get(&host->watch.closed) == 0) {
        assert_true(now_ms() < end);
        if (on_the_loop)
            host_call(host, 0, send_to_the_deaf, &deaf);
        else
            send_to_the_deaf(&deaf);
    }
    send_to_the_deaf(&deaf);
}

static void run_gone(ferry_file *file, size_t way, void (*go)(int fd), bool on_the_loop)
{
    struct host host;
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_conn_pause(conn); /* so that it is a send that meets the end, not a read */
    host_settle(&host);
    go(fd);
    send_until_closed(&host, file, way, on_the_loop);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ECONNRESET);
    host_stop(&host);
}

static void no_signal_when_the_peer_is_gone(void)
{
    struct temp temp;
    struct sigaction action;
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    temp_fill(&temp, 1, 100000);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    for (size_t i = 0; i < 4 * WAYS; i++) {
        case_row("way %zu, %s, %s", i / 4, i % 2 ? "reset" : "closed", i / 2 % 2 ? "loop" : "thread");
        run_gone(file, i / 4, i % 2 ? peer_reset : peer_close, i / 2 % 2);
    }
    ferry_file_unref(file);
    temp_remove(&temp);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
}

static void hold(void *arg)
{
    struct count *steps = arg;
    count_add(steps, 1);
    count_wait(steps, 2);
}

/* The loop is held, so it is the thread that meets the end: its first send has the peer's kernel answer by a reset, and the
 * next, which comes late enough to be no hurry, is told. */
static void no_signal_where_a_thread_is_told_first(void)
{
    for (size_t way = 1; way < WAYS; way++) {
        struct host host;
        struct count steps = {0};
        case_row("way %zu", way);
        host_start(&host, &plain);
        int fd = peer_connect(host.address);
        struct deaf deaf = {.conn = watch_conn(&host.watch, 0), .way = way};
        ferry_conn_pause(deaf.conn);
        host_settle(&host);
        ferry_post(ferry_pool_loop(host.pool, 0), hold, &steps);
        count_wait(&steps, 1);
        peer_close(fd);
        for (int i = 0; i < 2; i++) {
            sleep_ms(2);
            send_to_the_deaf(&deaf);
        }
        assert_reason(ferry_conn_error(deaf.conn), -ECONNRESET);
        count_add(&steps, 1);
        host_stop(&host);
    }
}

/* The same where the loop is turned by a thread that holds no signal back. */
static void no_signal_in_a_foreign_loop(void)
{
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, 100000);
    host_init(&host, &plain);
    host.pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(host.pool);
    ferry_loop *loop = ferry_pool_loop(host.pool, 0);
    host.listener = ferry_listen(host.pool, "127.0.0.1:0", &host.watch.service);
    assert_non_null(host.listener);
    int fd = peer_connect(ferry_listener_address(host.listener));
    while (count_get(&host.watch.opened) == 0)
        assert_int_equal(ferry_loop_turn(loop, 10), 1);
    struct deaf deaf = {.conn = watch_conn(&host.watch, 0), .file = ferry_file_open(temp.path)};
    assert_non_null(deaf.file);
    ferry_conn_pause(deaf.conn);
    assert_int_equal(ferry_loop_turn(loop, 0), 1);
    peer_close(fd);
    while (count_get(&host.watch.closed) == 0) {
        send_to_the_deaf(&deaf);
        deaf.way = (deaf.way + 1) % WAYS;
        assert_int_equal(ferry_loop_turn(loop, 10), 1);
    }
    assert_reason(ferry_conn_error(deaf.conn), -ECONNRESET);
    ferry_file_unref(deaf.file);
    ferry_pool_free(host.pool);
    watch_fini(&host.watch);
    temp_remove(&temp);
}

const struct test_case test_cases[] = {
    {"every_size_arrives", every_size_arrives},
    {"nothing_can_be_sent", nothing_can_be_sent},
    {"vectors_of_any_length", vectors_of_any_length},
    {"one_huge_send_arrives", one_huge_send_arrives},
    {"a_shut_window_stops_nobody", a_shut_window_stops_nobody},
    {"room_that_comes_while_another_thread_writes", room_that_comes_while_another_thread_writes},
    {"no_callback_runs_inside_a_send", no_callback_runs_inside_a_send},
    {"no_signal_when_the_peer_is_gone", no_signal_when_the_peer_is_gone},
    {"no_signal_where_a_thread_is_told_first", no_signal_where_a_thread_is_told_first},
    {"no_signal_in_a_foreign_loop", no_signal_in_a_foreign_loop},
    {NULL, NULL},
};
