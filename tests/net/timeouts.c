/* SPDX-License-Identifier: MIT
 *
 * Connections that time out: idle ones, and readers that trickle. Their opposites live on. No case asserts how soon a
 * timeout comes, only that it comes, and not early.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { IDLE_MS = 250 };

static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len;
}

static const ferry_service idling = {.on_data = swallow, .idle_timeout_ms = IDLE_MS};

static void idle_connections_are_closed(void)
{
    struct host host;
    ferry_stats stats;
    host_start(&host, &idling);
    uint64_t start = now_ns();
    int fd = peer_connect(host.address);
    assert_reason(watch_reason(&host.watch, 0, &stats), -ETIMEDOUT);
    assert_true(now_ns() - start >= IDLE_MS * 1000000U);
    assert_int_equal(stats.verdict, FERRY_VERDICT_TIMED_OUT);
    (void)peer_read_to_end(fd, NULL, NULL);
    peer_close(fd);
    host_stop(&host);
}

static bool pass_byte(ferry_conn *conn, int fd, bool inward)
{
    char byte = 'x';
    if (inward)
        return send(fd, &byte, 1, MSG_NOSIGNAL) == 1;
    ferry_send(conn, &byte, 1);
    return recv(fd, &byte, 1, 0) == 1;
}

/* A byte now and then, one way or the other, for much longer than the limit. Returns false when this thread was held up
 * for so long that the connection was idle indeed. */
static bool keep_active(ferry_conn *conn, int fd, bool inward, uint64_t *last)
{
    for (size_t i = 0; i < 12; i++) {
        sleep_ms(IDLE_MS / 5);
        uint64_t begin = now_ns();
        bool passed = pass_byte(conn, fd, inward);
        if (now_ns() - *last > IDLE_MS * 1000000ULL * 3 / 4)
            return false;
        assert_true(passed);
        *last = begin;
    }
    return true;
}

static bool run_active(bool inward)
{
    struct host host;
    host_start(&host, &idling);
    uint64_t last = now_ns();
    int fd = peer_connect(host.address);
    bool active = keep_active(watch_conn(&host.watch, 0), fd, inward, &last);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ETIMEDOUT);
    assert_true(now_ns() - last >= IDLE_MS * 1000000U);
    peer_close(fd);
    host_stop(&host);
    return active;
}

static void a_talking_peer_is_not_idle(void)
{
    while (!run_active(true))
        continue;
}

static void a_peer_spoken_to_is_not_idle(void)
{
    while (!run_active(false))
        continue;
}

/* Reads a few bytes at a time until the connection ends or the given count says enough. */
struct trickle {
    int fd;
    int window;
    size_t piece;
    unsigned pause_ms;
    struct count *enough;
    uint64_t longest; /* from one piece to the next, in nanoseconds */
    pthread_t thread;
};

static void *read_slowly(void *arg)
{
    struct trickle *trickle = arg;
    char buffer[65536];
    uint64_t last = now_ns();
    ssize_t got = 1;
    while (got > 0 && count_get(trickle->enough) == 0) {
        got = recv(trickle->fd, buffer, trickle->piece, 0);
        sleep_ms(trickle->pause_ms);
        uint64_t now = now_ns();
        if (now - last > trickle->longest)
            trickle->longest = now - last;
        last = now;
    }
    return NULL;
}

static void start_reading(struct trickle *trickle, struct host *host)
{
    trickle->fd = peer_connect_with(host->address, &(struct peer_options){.receive_buffer = trickle->window});
    assert_int_equal(pthread_create(&trickle->thread, NULL, read_slowly, trickle), 0);
}

static void join_reading(struct trickle *trickle)
{
    (void)shutdown(trickle->fd, SHUT_RD); /* it may wait for more than there is */
    assert_int_equal(pthread_join(trickle->thread, NULL), 0);
    peer_close(trickle->fd);
}

static void fill(ferry_conn *conn)
{
    char *data = pattern_new(1, 16 * 1024 * 1024);
    ferry_send(conn, data, 16 * 1024 * 1024);
    free(data);
}

/* One reader takes a fifth of the rate, the other twenty times as much; what the first acknowledges renews nothing. Returns
 * false when the other was held up for so long that it was slow indeed. */
static bool run_trickling(void)
{
    static const ferry_service service = {.min_send_rate = 50000, .socket.send_buffer = 16 * 1024};
    struct host host;
    ferry_stats stats;
    struct count enough = {0};
    struct count never = {0};
    struct trickle slow = {.window = PEER_TINY_WINDOW, .piece = 100, .pause_ms = 10, .enough = &never};
    struct trickle fast = {.window = 65536, .piece = 10000, .pause_ms = 10, .enough = &enough};
    host_start(&host, &service);
    start_reading(&slow, &host);
    ferry_conn *trickling = watch_conn(&host.watch, 0);
    start_reading(&fast, &host);
    ferry_conn *flowing = watch_conn(&host.watch, 1);
    fill(flowing);
    fill(trickling);
    int reason = watch_reason(&host.watch, 0, &stats);
    int trickled = ferry_conn_error(trickling);
    int flowed = ferry_conn_error(flowing);
    count_add(&enough, 1);
    join_reading(&slow);
    join_reading(&fast);
    host_stop(&host);
    if (flowed == -ETIMEDOUT && fast.longest > 500 * 1000000ULL)
        return false;
    assert_reason(flowed, 0);
    assert_reason(trickled, -ETIMEDOUT);
    assert_reason(reason, -ETIMEDOUT);
    assert_int_equal(stats.verdict, FERRY_VERDICT_TIMED_OUT);
    assert_true(stats.unsent > 0);
    return true;
}

static void readers_that_trickle_are_closed(void)
{
    while (!run_trickling())
        continue;
}

/* No rate is asked of a peer for which nothing is pending, or of one that is behind for a moment only. */
static void a_quiet_connection_is_not_slow(void)
{
    static const ferry_service service = {.min_send_rate = 100000};
    struct host host;
    struct host other;
    struct count never = {0};
    struct trickle slow = {.window = PEER_TINY_WINDOW, .piece = 100, .pause_ms = 10, .enough = &never};
    char byte;
    host_start(&host, &service);
    host_start(&other, &(ferry_service){.min_send_rate = 100000, .socket.send_buffer = 16 * 1024});
    int fd = peer_connect(host.address);
    ferry_send(watch_conn(&host.watch, 0), "x", 1);
    start_reading(&slow, &other);
    fill(watch_conn(&other.watch, 0));
    assert_reason(watch_reason(&other.watch, 0, NULL), -ETIMEDOUT); /* the time that a slow one would have had */
    assert_reason(ferry_conn_error(watch_conn(&host.watch, 0)), 0);
    peer_read(fd, &byte, 1);
    peer_close(fd);
    join_reading(&slow);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
    host_stop(&other);
}

const struct test_case test_cases[] = {
    {"idle_connections_are_closed", idle_connections_are_closed},
    {"a_talking_peer_is_not_idle", a_talking_peer_is_not_idle},
    {"a_peer_spoken_to_is_not_idle", a_peer_spoken_to_is_not_idle},
    {"readers_that_trickle_are_closed", readers_that_trickle_are_closed},
    {"a_quiet_connection_is_not_slow", a_quiet_connection_is_not_slow},
    {NULL, NULL},
};
