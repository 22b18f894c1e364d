/* SPDX-License-Identifier: MIT
 *
 * Fairness: whatever one connection does, the others of its loop get their turn, and so do timers and posts. Each case
 * asserts an order of events (the small exchange is over before the large one), not a time.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <stdlib.h>
#include <unistd.h>

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static const ferry_service echoing = {.on_data = echo};

static void ping_pong(int fd, size_t rounds)
{
    char bytes[4];
    for (size_t i = 0; i < rounds; i++) {
        peer_write(fd, "ping", 4);
        peer_read(fd, bytes, 4);
        assert_memory_equal(bytes, "ping", 4);
    }
}

/* Reads as fast as it can, until the end or the stop. */
struct reader {
    int fd;
    struct count read, stop;
    pthread_t thread;
};

static void *read_fast(void *arg)
{
    static char buffer[1024 * 1024];
    struct reader *reader = arg;
    ssize_t got;
    while (count_get(&reader->stop) == 0 && (got = recv(reader->fd, buffer, sizeof buffer, 0)) > 0)
        count_add(&reader->read, (uint64_t)got);
    return NULL;
}

static void start_reader(struct reader *reader, int fd)
{
    *reader = (struct reader){.fd = fd};
    assert_int_equal(pthread_create(&reader->thread, NULL, read_fast, reader), 0);
}

static void stop_reader(struct reader *reader)
{
    count_add(&reader->stop, 1);
    assert_int_equal(pthread_join(reader->thread, NULL), 0);
}

static void fire(void *arg)
{
    count_add(arg, 1);
}

/* Pings, a timer and posts are served while the large exchange, which has no end, goes on. */
static void expect_turns(struct host *host, struct count *bytes)
{
    struct count fired = {0};
    int fd = peer_connect(host->address);
    for (uint64_t round = 1; round <= 5; round++) {
        count_wait(bytes, count_get(bytes) + 1000000);
        ping_pong(fd, 20);
        assert_non_null(ferry_after(ferry_pool_loop(host->pool, 0), 1, fire, &fired));
        count_wait(&fired, round);
        host_settle(host);
    }
    peer_close(fd);
}

/* A file of 8 TiB: it cannot have been sent by the time the pings are answered. */
static void a_file_to_a_fast_reader(void)
{
    struct host host;
    struct reader reader;
    struct temp temp;
    temp_init(&temp);
    assert_int_equal(ftruncate(temp.fd, (off_t)(8ULL << 40)), 0);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_start(&host, &echoing);
    start_reader(&reader, peer_connect(host.address));
    ferry_send_file(watch_conn(&host.watch, 0), file, 0, FERRY_TO_END);
    ferry_file_unref(file);
    expect_turns(&host, &reader.read);
    stop_reader(&reader);
    peer_reset(reader.fd);
    count_wait(&host.watch.closed, 2);
    host_stop(&host);
    temp_remove(&temp);
}

enum { PART = 64 * 1024 * 1024, SHARE = 1024 * 1024 };

static void send_blob_and_more(void *arg)
{
    static const char message[8192];
    ferry_conn *conn = arg;
    ferry_stats stats;
    char *bytes = calloc(1, PART);
    assert_non_null(bytes);
    ferry_blob *blob = ferry_blob_wrap(bytes, PART, free);
    assert_non_null(blob);
    ferry_send_blob(conn, blob);
    ferry_blob_unref(blob);
    ferry_send(conn, message, sizeof message);
    ferry_conn_stats(conn, &stats);
    assert_true(stats.written <= SHARE);
}

/* It leaves that to the turns to come, and is not sent from where it lies. */
static void a_message_does_not_take_along_what_it_is_behind(void)
{
    struct host host;
    struct reader reader;
    host_start(&host, &echoing);
    start_reader(&reader, peer_connect(host.address));
    host_call(&host, 0, send_blob_and_more, watch_conn(&host.watch, 0));
    count_wait(&reader.read, PART + 8192);
    stop_reader(&reader);
    peer_close(reader.fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
}

static ferry_blob *endless;

static void send_again(ferry_conn *conn, void *arg)
{
    (void)arg;
    if (endless != NULL && ferry_conn_context(conn) != NULL)
        ferry_send_blob(conn, endless);
}

static void begin_the_chain(void *arg)
{
    struct host *host = arg;
    ferry_conn *conn = watch_conn(&host->watch, 0);
    ferry_conn_set_context(conn, conn, NULL);
    ferry_send_blob(conn, endless);
}

/* The next piece from on_drain, for ever, to a reader that always has room. */
static void a_chain_of_drains(void)
{
    static const ferry_service service = {.on_data = echo, .on_drain = send_again};
    struct host host;
    struct reader reader;
    static char bytes[30000];
    endless = ferry_blob_wrap(bytes, sizeof bytes, NULL);
    assert_non_null(endless);
    host_start(&host, &service);
    start_reader(&reader, peer_connect(host.address));
    (void)watch_conn(&host.watch, 0);
    host_call(&host, 0, begin_the_chain, &host);
    expect_turns(&host, &reader.read);
    stop_reader(&reader);
    peer_reset(reader.fd);
    count_wait(&host.watch.closed, 2);
    host_stop(&host);
    ferry_blob_unref(endless);
    endless = NULL;
}

struct writer {
    int fd;
    struct count written, stop;
    pthread_t thread;
};

static void *write_fast(void *arg)
{
    static const char bytes[65536];
    struct writer *writer = arg;
    while (count_get(&writer->stop) == 0) {
        peer_write(writer->fd, bytes, sizeof bytes);
        count_add(&writer->written, sizeof bytes);
    }
    return NULL;
}

static size_t swallow_the_large(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    if (len <= 4)
        return echo(conn, data, len, arg);
    return len;
}

/* Two peers that never stop writing. */
static void a_flood_of_input(void)
{
    static const ferry_service service = {.on_data = swallow_the_large};
    struct host host;
    struct writer writers[2];
    host_start(&host, &service);
    for (size_t i = 0; i < 2; i++) {
        writers[i] = (struct writer){.fd = peer_connect(host.address)};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_fast, &writers[i]), 0);
    }
    expect_turns(&host, &writers[0].written);
    for (size_t i = 0; i < 2; i++) {
        count_add(&writers[i].stop, 1);
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        peer_close(writers[i].fd);
    }
    count_wait(&host.watch.closed, 3);
    host_stop(&host);
}

struct sender {
    ferry_conn *conn;
    struct count stop;
    pthread_t thread;
};

static void *send_fast(void *arg)
{
    struct sender *sender = arg;
    static const char bytes[20000];
    while (count_get(&sender->stop) == 0) {
        ferry_send(sender->conn, bytes, sizeof bytes);
        while (ferry_conn_pending(sender->conn) > 4 * 1024 * 1024 && count_get(&sender->stop) == 0)
            (void)usleep(100);
    }
    return NULL;
}

/* Another thread that never stops sending. */
static void a_flood_of_output(void)
{
    struct host host;
    struct reader reader;
    host_start(&host, &echoing);
    start_reader(&reader, peer_connect(host.address));
    struct sender sender = {.conn = watch_conn(&host.watch, 0)};
    assert_int_equal(pthread_create(&sender.thread, NULL, send_fast, &sender), 0);
    expect_turns(&host, &reader.read);
    stop_reader(&reader);
    count_add(&sender.stop, 1);
    assert_int_equal(pthread_join(sender.thread, NULL), 0);
    peer_reset(reader.fd);
    count_wait(&host.watch.closed, 2);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"a_file_to_a_fast_reader", a_file_to_a_fast_reader},
    {"a_message_does_not_take_along_what_it_is_behind", a_message_does_not_take_along_what_it_is_behind},
    {"a_chain_of_drains", a_chain_of_drains},
    {"a_flood_of_input", a_flood_of_input},
    {"a_flood_of_output", a_flood_of_output},
    {NULL, NULL},
};
