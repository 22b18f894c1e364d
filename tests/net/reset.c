/* SPDX-License-Identifier: MIT
 *
 * Peers that are gone without a word: a reset with bytes pending, while paused, and the end of a whole process.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PENDING = 8 * 1024 * 1024 };

static const ferry_service plain = {.high_water = 0};
static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

static void fill(ferry_conn *conn)
{
    char *data = pattern_new(1, PENDING);
    ferry_send(conn, data, PENDING);
    free(data);
}

static void with_bytes_pending(void)
{
    struct host host;
    ferry_stats stats;
    host_start(&host, &plain);
    for (size_t i = 0; i < 10; i++) {
        int fd = peer_connect_with(host.address, &tiny);
        ferry_conn *conn = watch_conn(&host.watch, i);
        fill(conn);
        peer_reset(fd);
        assert_reason(watch_reason(&host.watch, i, &stats), -ECONNRESET);
        assert_int_equal(stats.verdict, FERRY_VERDICT_RESET);
        assert_int_equal(stats.queued, PENDING);
        assert_true(stats.unsent > 0);
        assert_int_equal(ferry_conn_pending(conn), 0);
    }
    host_stop(&host);
}

static size_t pause_it(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    (void)len;
    ferry_conn_pause(conn);
    count_add(arg, 1);
    return 0;
}

static void told_while_paused(void)
{
    struct host host;
    struct count paused = {0};
    const ferry_service service = {.arg = &paused, .on_data = pause_it};
    host_start(&host, &service);
    for (size_t i = 0; i < 10; i++) {
        case_row("connection %zu", i);
        int fd = peer_connect(host.address);
        peer_write(fd, "some", 4);
        count_wait(&paused, i + 1);
        if (i % 2 == 1)
            peer_write(fd, "unread", 6);
        host_settle(&host);
        peer_reset(fd);
        assert_reason(watch_reason(&host.watch, i, NULL), -ECONNRESET);
    }
    host_stop(&host);
}

static void told_while_paused_by_another_thread(void)
{
    struct host host;
    host_start(&host, &plain);
    int fd = peer_connect(host.address);
    ferry_conn_pause(watch_conn(&host.watch, 0));
    host_settle(&host);
    peer_reset(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ECONNRESET);
    host_stop(&host);
}

/* The loop is kept from its turns between the two. */
struct standstill {
    struct count begun, over;
};

static void stand_still(void *arg)
{
    struct standstill *still = arg;
    count_add(&still->begun, 1);
    count_wait(&still->over, 1);
}

/* Reads until the rest of what was sent is in the kernel, and no further: the loop goes along with each step, so that there
 * is still something there that the peer has no room for. */
static void read_until_all_has_left(int fd, struct host *host, ferry_conn *conn)
{
    char bytes[1024];
    for (; ferry_conn_pending(conn) > 0; host_settle(host))
        peer_read(fd, bytes, sizeof bytes);
}

/* The peer's FIN and its reset come in one turn, behind ours; recv(2) says only that the input has ended. */
static void behind_the_end_while_closing(void)
{
    static const ferry_service service = {.linger_ms = 10 * 60 * 1000, .socket.send_buffer = 16 * 1024};
    struct host host;
    host_start(&host, &service);
    for (size_t i = 0; i < 10; i++) {
        struct standstill still = {.begun = {0}};
        int fd = peer_connect_with(host.address, &tiny);
        ferry_conn *conn = watch_conn(&host.watch, i);
        char *data = pattern_new(1, PENDING / 16);
        ferry_send(conn, data, PENDING / 16);
        free(data);
        read_until_all_has_left(fd, &host, conn);
        ferry_close(conn);
        host_settle(&host);
        ferry_post(ferry_pool_loop(host.pool, 0), stand_still, &still);
        count_wait(&still.begun, 1);
        peer_half_close(fd);
        peer_reset(fd);
        count_add(&still.over, 1);
        assert_reason(watch_reason(&host.watch, i, NULL), -ECONNRESET);
    }
    host_stop(&host);
}

/* A process of its own, that connects and is killed. It may only make calls that are safe after fork(2). */
static pid_t start_process(struct host *host, size_t index)
{
    int fd = peer_socket(host->address, &tiny);
    assert_int_equal(peer_join(fd, host->address), 0);
    count_wait(&host->watch.opened, index + 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    peer_close(fd); /* the child has it now */
    return child;
}

static void a_killed_process(void)
{
    struct host host;
    ferry_stats stats;
    host_start(&host, &plain);
    for (size_t i = 0; i < 2; i++) {
        case_row("%s", i > 0 ? "with bytes pending" : "idle");
        pid_t child = start_process(&host, i);
        if (i > 0)
            fill(watch_conn(&host.watch, i));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_reason(watch_reason(&host.watch, i, &stats), i > 0 ? -ECONNRESET : 0);
        assert_int_equal(stats.unsent > 0, i > 0);
    }
    host_stop(&host);
}

/* What was sent stands in front of a shut window, and the reset has come, when the loop makes the half-close. */
struct late_shutdown {
    int peer;           /* that resets */
    unsigned port;      /* its own */
    int unacked;        /* bytes, by the kernel's count */
    struct count asked; /* the peer's last call before that is over */
};

static size_t reset_and_shut_down(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct late_shutdown *late = arg;
    (void)data;
    count_wait(&late->asked, 1);
    struct pollfd ours = {.fd = peer_other_end(late->port)};
    peer_reset(late->peer);
    assert_int_equal(poll(&ours, 1, (int)case_patience_ms()), 1);
    assert_int_equal(ioctl(ours.fd, SIOCOUTQ, &late->unacked), 0);
    ferry_shutdown(conn);
    return len;
}

static bool is_drained(void *arg)
{
    return ferry_conn_pending(arg) == 0;
}

static void before_a_shutdown(void)
{
    enum { LEN = 100000 };
    struct host host;
    struct late_shutdown late = {0};
    ferry_stats stats;
    const ferry_service service = {.arg = &late, .on_data = reset_and_shut_down, .socket.send_buffer = 1024 * 1024};
    host_start(&host, &service);
    late.peer = peer_connect_with(host.address, &tiny);
    late.port = peer_port(late.peer);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    char *data = pattern_new(1, LEN);
    ferry_send(conn, data, LEN);
    free(data);
    wait_until(is_drained, conn);
    peer_write(late.peer, "now", 3);
    count_add(&late.asked, 1);
    assert_reason(watch_reason(&host.watch, 0, &stats), -ECONNRESET);
    assert_true(late.unacked > 0);
    assert_int_equal(stats.acknowledged, LEN - (uint64_t)late.unacked);
    host_stop(&host);
}

/* Many resets at random moments of a busy exchange. */
static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void at_any_moment(void)
{
    static const ferry_service service = {.on_data = echo};
    struct host host;
    uint64_t series = 3;
    char buffer[30000];
    host_start(&host, &service);
    size_t rounds = scale(500);
    for (size_t i = 0; i < rounds; i++) {
        struct pattern pattern = {.seed = i};
        int fd = peer_connect(host.address);
        peer_write_pattern(fd, &pattern, random_below(&series, 200000));
        (void)recv(fd, buffer, random_below(&series, sizeof buffer), MSG_DONTWAIT);
        peer_reset(fd);
    }
    count_wait(&host.watch.closed, rounds);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"with_bytes_pending", with_bytes_pending},
    {"told_while_paused", told_while_paused},
    {"behind_the_end_while_closing", behind_the_end_while_closing},
    {"told_while_paused_by_another_thread", told_while_paused_by_another_thread},
    {"a_killed_process", a_killed_process},
    {"before_a_shutdown", before_a_shutdown},
    {"at_any_moment", at_any_moment},
    {NULL, NULL},
};
