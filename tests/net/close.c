/* SPDX-License-Identifier: MIT
 *
 * Closing: in order, with patience, at once; and the verdict on what became of the bytes.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

static void send_pattern(ferry_conn *conn, uint64_t seed, size_t len)
{
    char *data = pattern_new(seed, len);
    ferry_send(conn, data, len);
    free(data);
}

static void expect_all_then_eof(int fd, uint64_t seed, uint64_t len)
{
    struct pattern pattern = {.seed = seed};
    uint64_t total;
    int end = peer_read_to_end(fd, &pattern, &total);
    assert_reason(-end, 0);
    assert_int_equal(total, len);
}

/* Closing a socket with unread input makes the kernel reset it and throw the queued output away. ferry must not. */
static void unread_input_costs_no_output(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    ferry_stats stats;
    struct pattern input = {.seed = 1};
    size_t len = scale(4 * 1024 * 1024);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_conn_pause(conn);
    host_settle(&host);
    peer_write_pattern(fd, &input, 50000);
    send_pattern(conn, 2, len);
    ferry_close(conn);
    host_settle(&host);
    peer_write_pattern(fd, &input, 50000); /* and more of it while it closes */
    expect_all_then_eof(fd, 2, len);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.verdict, FERRY_VERDICT_ACKED);
    assert_int_equal(stats.acknowledged, len);
    host_stop(&host);
}

static size_t close_at_once(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    (void)arg;
    send_pattern(conn, 2, scale(4 * 1024 * 1024));
    ferry_close(conn);
    return len / 2; /* the rest stays unread for ever */
}

static void *write_on_and_on(void *arg)
{
    struct pattern pattern = {.seed = 1};
    peer_write_pattern(*(int *)arg, &pattern, scale(16 * 1024 * 1024));
    peer_half_close(*(int *)arg);
    return NULL;
}

/* A peer that goes on sending until it has read everything; no input is delivered once the close was asked for. */
static void a_talking_peer_gets_everything(void)
{
    static const ferry_service service = {.on_data = close_at_once};
    struct host host;
    pthread_t writer;
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    assert_int_equal(pthread_create(&writer, NULL, write_on_and_on, &fd), 0);
    expect_all_then_eof(fd, 2, scale(4 * 1024 * 1024));
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    assert_int_equal(count_get(&host.watch.data), 1);
    peer_close(fd);
    host_stop(&host);
}

/* How each ending is told. */
struct ending {
    const char *name;
    size_t len; /* bytes sent first */
    void (*end)(struct host *host, int *fd);
    int reason;
    ferry_verdict verdict;
    bool unsent; /* some bytes are lost */
};

enum { SMALL = 1000, LARGE = 16 * 1024 * 1024 };

static void read_and_close(struct host *host, int *fd)
{
    ferry_close(watch_conn(&host->watch, 0));
    expect_all_then_eof(*fd, 1, SMALL);
    peer_close(*fd);
    *fd = -1;
}

static void read_and_stay(struct host *host, int *fd)
{
    ferry_close(watch_conn(&host->watch, 0));
    expect_all_then_eof(*fd, 1, SMALL);
}

static void close_and_wait(struct host *host, int *fd)
{
    (void)fd;
    ferry_close(watch_conn(&host->watch, 0));
}

static void abort_it(struct host *host, int *fd)
{
    (void)fd;
    ferry_abort(watch_conn(&host->watch, 0));
}

static void shut_down_and_abort(struct host *host, int *fd)
{
    ferry_shutdown(watch_conn(&host->watch, 0));
    abort_it(host, fd);
}

static void close_and_abort(struct host *host, int *fd)
{
    ferry_close(watch_conn(&host->watch, 0));
    abort_it(host, fd);
}

static void be_reset(struct host *host, int *fd)
{
    (void)host;
    peer_reset(*fd);
    *fd = -1;
}

static void be_reset_while_closing(struct host *host, int *fd)
{
    ferry_close(watch_conn(&host->watch, 0));
    be_reset(host, fd);
}

static void peer_closes_first(struct host *host, int *fd)
{
    struct pattern pattern = {.seed = 1};
    (void)host;
    peer_read_pattern(*fd, &pattern, SMALL);
    peer_half_close(*fd);
    peer_expect_eof(*fd);
}

static const struct ending endings[] = {
    {"the peer reads all and closes", SMALL, read_and_close, 0, FERRY_VERDICT_ACKED, false},
    {"the peer closes first", SMALL, peer_closes_first, 0, FERRY_VERDICT_ACKED, false},
    {"the peer reads all and stays", SMALL, read_and_stay, 0, FERRY_VERDICT_ACKED, false},
    {"the peer never reads", LARGE, close_and_wait, -ETIMEDOUT, FERRY_VERDICT_TIMED_OUT, true},
    {"abort", SMALL, abort_it, -ECONNABORTED, FERRY_VERDICT_RESET, false},
    {"abort with bytes pending", LARGE, abort_it, -ECONNABORTED, FERRY_VERDICT_RESET, true},
    {"abort after shutdown", LARGE, shut_down_and_abort, -ECONNABORTED, FERRY_VERDICT_RESET, true},
    {"abort after close", LARGE, close_and_abort, -ECONNABORTED, FERRY_VERDICT_RESET, true},
    {"the peer resets", SMALL, be_reset, -ECONNRESET, FERRY_VERDICT_RESET, false},
    {"the peer resets with bytes pending", LARGE, be_reset, -ECONNRESET, FERRY_VERDICT_RESET, true},
    {"the peer resets while it closes", LARGE, be_reset_while_closing, -ECONNRESET, FERRY_VERDICT_RESET, true},
};

static void check_ending(const struct ending *ending, const ferry_stats *stats)
{
    assert_int_equal(stats->verdict, ending->verdict);
    assert_int_equal(stats->queued, ending->len);
    assert_int_equal(stats->unsent > 0, ending->unsent);
    assert_int_equal(stats->written + stats->unsent, stats->queued);
    assert_true(stats->acknowledged <= stats->written);
    if (ending->verdict == FERRY_VERDICT_ACKED)
        assert_int_equal(stats->acknowledged, ending->len);
}

/* What ends the connection comes before the time does that it is given to close. */
static void run_ending(const struct ending *ending)
{
    bool by_reset = ending->verdict == FERRY_VERDICT_RESET;
    const ferry_service service = {.linger_ms = by_reset ? case_patience_ms() : 100};
    struct host host;
    ferry_stats stats;
    case_row("%s", ending->name);
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    send_pattern(watch_conn(&host.watch, 0), 1, ending->len);
    ending->end(&host, &fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), ending->reason);
    check_ending(ending, &stats);
    if (fd >= 0)
        peer_close(fd);
    host_stop(&host);
}

static void each_ending_has_its_verdict(void)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        run_ending(&endings[i]);
}

/* A peer that has everything and yet does not close is given linger_ms, and no error is made of it. */
static void linger_is_never_cut_short(void)
{
    static const ferry_service service = {.linger_ms = 200};
    struct host host;
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    uint64_t start = now_ns();
    ferry_close(conn);
    ferry_close(conn);
    peer_expect_eof(fd);
    ferry_close(conn);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    assert_true(now_ns() - start >= 200 * 1000000U);
    ferry_close(conn);
    peer_close(fd);
    host_stop(&host);
}

static void do_nothing(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

/* Both sides have finished, and the kernel has all, but the peer does not read: that it has come to the end is an event, and
 * no time has to run out for it. */
static void the_last_acknowledgement_is_an_event(void)
{
    enum { FITTING = 128 * 1024 };
    const ferry_service service = {
        .on_eof = do_nothing, .linger_ms = 2 * case_patience_ms(), .socket.send_buffer = 2 * FITTING};
    struct host host;
    ferry_stats stats;
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    send_pattern(conn, 3, FITTING);
    ferry_shutdown(conn);
    peer_half_close(fd);
    count_wait(&host.watch.eofs, 1);
    host_settle(&host);
    assert_int_equal(ferry_conn_pending(conn), 0);
    expect_all_then_eof(fd, 3, FITTING);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.verdict, FERRY_VERDICT_ACKED);
    peer_close(fd);
    host_stop(&host);
}

/* The whole takes far longer than linger_ms, but each step shows that the peer still takes bytes. */
static void linger_waits_as_long_as_there_is_progress(void)
{
    static const ferry_service service = {.linger_ms = 4000, .socket.send_buffer = 4096};
    struct host host;
    struct pattern pattern = {.seed = 1};
    enum { STEPS = 20, STEP = 40000 };
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    send_pattern(conn, 1, STEPS * STEP);
    ferry_close(conn);
    for (size_t i = 0; i < STEPS; i++) {
        sleep_ms(250);
        peer_read_pattern(fd, &pattern, STEP);
    }
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

static void abort_is_a_reset_for_the_peer(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    host_start(&host, &service);
    for (size_t i = 0; i < 2; i++) {
        case_row("%s", i > 0 ? "with bytes pending" : "idle");
        int fd = peer_connect_with(host.address, &tiny);
        ferry_conn *conn = watch_conn(&host.watch, i);
        if (i > 0)
            send_pattern(conn, 1, LARGE);
        ferry_abort(conn);
        ferry_abort(conn);
        assert_int_equal(peer_read_to_end(fd, NULL, NULL), ECONNRESET);
        assert_reason(watch_reason(&host.watch, i, NULL), -ECONNABORTED);
        assert_reason(ferry_conn_error(conn), -ECONNABORTED);
        peer_close(fd);
    }
    host_stop(&host);
}

/* A connection whose service watches nothing still has its whole life: input is thrown away, EOF closes it. */
static void a_service_without_callbacks(void)
{
    static const ferry_service nothing;
    ferry_accept_stats stats;
    struct host host;
    struct pattern pattern = {.seed = 1};
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    host.listener = ferry_listen(host.pool, "127.0.0.1:0", &nothing);
    assert_non_null(host.listener);
    for (size_t i = 0; i < 10; i++) {
        int fd = peer_connect(ferry_listener_address(host.listener));
        peer_write_pattern(fd, &pattern, 500000);
        peer_half_close(fd);
        peer_expect_eof(fd);
        peer_close(fd);
    }
    host_accepts(&host, &stats);
    assert_int_equal(stats.accepted, 10);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"unread_input_costs_no_output", unread_input_costs_no_output},
    {"a_talking_peer_gets_everything", a_talking_peer_gets_everything},
    {"each_ending_has_its_verdict", each_ending_has_its_verdict},
    {"linger_is_never_cut_short", linger_is_never_cut_short},
    {"linger_waits_as_long_as_there_is_progress", linger_waits_as_long_as_there_is_progress},
    {"the_last_acknowledgement_is_an_event", the_last_acknowledgement_is_an_event},
    {"abort_is_a_reset_for_the_peer", abort_is_a_reset_for_the_peer},
    {"a_service_without_callbacks", a_service_without_callbacks},
    {NULL, NULL},
};
