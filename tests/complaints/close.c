/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: the end of a connection. See docs/complaints.md.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include "../co/parked.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

/* The answer outlives the peer's end, in both styles, from memory and from a file, whether the end comes with the question or
 * in the midst of the close. */
enum { ANSWER = 2 * 1024 * 1024 };

struct answer {
    struct host host;
    ferry_file *file; /* NULL = from memory */
    size_t len;
    bool closes; /* behind the answer; else the peer's end ends it */
};

static void send_answer(ferry_conn *conn, const struct answer *answer)
{
    if (answer->file != NULL) {
        ferry_send_file(conn, answer->file, 0, FERRY_TO_END);
        return;
    }
    char *data = pattern_new(1, answer->len);
    ferry_send(conn, data, answer->len);
    free(data);
}

static size_t answer_in_a_callback(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    const struct answer *answer = arg;
    (void)data;
    send_answer(conn, answer);
    if (answer->closes)
        ferry_close(conn);
    return len;
}

static void answer_in_a_coroutine(ferry_conn *conn, void *arg)
{
    const struct answer *answer = arg;
    char byte;
    assert_int_equal(ferry_recv(conn, &byte, 1), 1);
    send_answer(conn, answer);
    if (!answer->closes)
        assert_int_equal(ferry_recv(conn, &byte, 1), 0);
}

static bool has_pending(void *conn)
{
    return ferry_conn_pending(conn) > 0;
}

static void ask_and_end(struct answer *answer, bool at_once)
{
    struct pattern pattern = {.seed = 1};
    ferry_stats stats;
    int fd = peer_connect_with(answer->host.address, &tiny);
    peer_write(fd, "?", 1);
    if (!at_once) {
        wait_until(has_pending, watch_conn(&answer->host.watch, 0));
        host_settle(&answer->host);
    }
    peer_half_close(fd);
    sleep_ms(2); /* the end is told while nothing has been read */
    host_settle(&answer->host);
    peer_read_pattern(fd, &pattern, answer->len);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&answer->host.watch, 0, &stats), 0);
    assert_int_equal(stats.verdict, FERRY_VERDICT_ACKED);
}

static void check_answer(bool serves, bool from_file, bool at_once)
{
    static struct answer answer;
    struct temp temp;
    ferry_service service = {.arg = &answer, .high_water = 2 * ANSWER, .socket.send_buffer = 16 * 1024};
    if (serves)
        service.serve = answer_in_a_coroutine;
    else
        service.on_data = answer_in_a_callback;
    answer = (struct answer){.len = scale(ANSWER), .closes = !at_once};
    if (from_file) {
        temp_fill(&temp, 1, answer.len);
        answer.file = ferry_file_open(temp.path);
        assert_non_null(answer.file);
    }
    host_start(&answer.host, &service);
    ask_and_end(&answer, at_once);
    host_stop(&answer.host);
    if (from_file) {
        ferry_file_unref(answer.file);
        temp_remove(&temp);
    }
}

static void check_answers(bool at_once)
{
    for (unsigned i = 0; i < 4; i++) {
        case_row("%s, from %s", i & 1 ? "a coroutine" : "callbacks", i & 2 ? "a file" : "memory");
        check_answer(i & 1, i & 2, at_once);
    }
}

/* https://github.com/chenshuo/muduo/issues/130 and pull/117 (refused), https://github.com/ioflo/hio/issues/175. */
static void the_answer_outlives_an_end_that_came_with_the_question(void)
{
    check_answers(true);
}

/* libhv's deferred close leaves the socket to be read, and the end that is read there drops the queue (its code);
 * https://github.com/walkor/workerman/pull/870. */
static void an_end_in_the_midst_of_the_close_drops_nothing(void)
{
    check_answers(false);
}

/* SO_LINGER makes close(2) wait, and the thread with it. https://github.com/tokio-rs/tokio/issues/7751. */
static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void expect_echoes(int fd, size_t rounds)
{
    char back = 0;
    for (size_t i = 0; i < rounds; i++) {
        peer_write(fd, "e", 1);
        peer_read(fd, &back, 1);
        assert_int_equal(back, 'e');
    }
}

static void a_close_that_lingers_blocks_nobody(void)
{
    const ferry_service service = {.on_data = echo, .linger_ms = 2 * case_patience_ms()};
    struct host host;
    host_start(&host, &service);
    int deaf = peer_connect_with(host.address, &tiny);
    ferry_conn *closing = watch_conn(&host.watch, 0);
    char *data = pattern_new(1, 8 * 1024 * 1024);
    ferry_send(closing, data, 8 * 1024 * 1024);
    free(data);
    ferry_close(closing);
    int fd = peer_connect(host.address);
    expect_echoes(fd, 100);
    assert_int_equal(count_get(&host.watch.closed), 0);
    assert_true(ferry_conn_pending(closing) > 0);
    peer_reset(deaf);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ECONNRESET);
    expect_echoes(fd, 10);
    peer_close(fd);
    host_stop(&host);
}

/* A peer that has everything, and neither closes nor falls silent, holds the close for ever.
 * https://github.com/status-im/nim-websock/pull/131, https://github.com/ponylang/lori/pull/322. */
struct chatter {
    int fd;
    atomic_bool enough;
};

static void *talk_on(void *arg)
{
    struct chatter *chatter = arg;
    while (!atomic_load(&chatter->enough) && send(chatter->fd, "x", 1, MSG_NOSIGNAL) == 1)
        sleep_ms(5);
    return NULL;
}

static void a_peer_that_talks_on_does_not_hold_a_close(void)
{
    static const ferry_service service = {.linger_ms = 500};
    struct host host;
    struct chatter chatter = {.enough = false};
    pthread_t talker;
    host_start(&host, &service);
    chatter.fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    assert_int_equal(pthread_create(&talker, NULL, talk_on, &chatter), 0);
    ferry_send(conn, "bye", 3);
    ferry_close(conn);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    atomic_store(&chatter.enough, true);
    assert_int_equal(pthread_join(talker, NULL), 0);
    peer_close(chatter.fd);
    host_stop(&host);
}

/* One that reads a byte now and then does, too: each is progress. https://github.com/h2o/h2o/pull/1108,
 * https://github.com/AMReX-Codes/amrexplorer/pull/126. A rate that is asked for is asked for until the end. */
static void *read_a_little(void *arg)
{
    const struct chatter *chatter = arg;
    char bytes[100];
    while (!atomic_load(&chatter->enough) && recv(chatter->fd, bytes, sizeof bytes, 0) > 0)
        sleep_ms(10);
    return NULL;
}

static void a_reader_that_trickles_does_not_hold_a_close(void)
{
    enum { REST = 256 * 1024 };
    static const ferry_service service = {.min_send_rate = 50000, .linger_ms = 10000, .socket.send_buffer = 2 * REST};
    struct host host;
    struct chatter chatter = {.enough = false};
    pthread_t reader;
    host_start(&host, &service);
    chatter.fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    char *data = pattern_new(1, REST);
    ferry_send(conn, data, REST);
    free(data);
    count_wait(&host.watch.drains, 1); /* from here on it is the kernel's */
    assert_int_equal(pthread_create(&reader, NULL, read_a_little, &chatter), 0);
    ferry_close(conn);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ETIMEDOUT);
    atomic_store(&chatter.enough, true);
    assert_int_equal(pthread_join(reader, NULL), 0);
    peer_close(chatter.fd);
    host_stop(&host);
}

/* Sockets whose peer has gone pile up in CLOSE_WAIT. https://github.com/chenshuo/muduo/issues/198, 480,
 * https://github.com/libuv/libuv/issues/2922. With nothing said about it, the peer's end is ours, in both styles. */
static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len;
}

static void read_to_the_end(ferry_conn *conn, void *arg)
{
    char bytes[100];
    (void)arg;
    while (ferry_recv(conn, bytes, sizeof bytes) > 0)
        continue;
}

static void sockets_of_the_gone_do_not_pile_up(void)
{
    static const ferry_service services[] = {{.on_data = swallow}, {.serve = read_to_the_end}};
    enum { GONE = 50 };
    for (size_t style = 0; style < 2; style++) {
        struct host host;
        case_row("style %zu", style);
        host_start(&host, &services[style]);
        int before = case_descriptors();
        for (size_t i = 0; i < GONE; i++) {
            int fd = peer_connect(host.address);
            peer_write(fd, "x", 1);
            peer_close(fd);
        }
        count_wait(&host.watch.closed, GONE);
        assert_int_equal(case_descriptors(), before);
        host_stop(&host);
    }
}

/* Closed under one that waits, a socket leaves something behind for the next that has its number, which then hangs.
 * https://github.com/sustrik/libdill/issues/129 and pull/236, https://github.com/ithewei/libhv/issues/754. */
static void serve_echo(ferry_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    while (ferry_recv(conn, &byte, 1) == 1)
        ferry_send(conn, &byte, 1);
}

static void the_next_with_that_number_is_served(void)
{
    static const ferry_service services[] = {{.on_data = echo}, {.name = "echo", .serve = serve_echo}};
    for (size_t style = 0; style < 2; style++) {
        struct host host;
        case_row("style %zu", style);
        host_start(&host, &services[style]);
        int fd = peer_connect(host.address);
        expect_echoes(fd, 1);
        for (size_t i = 0; i < 20; i++) {
            int next = peer_socket(host.address, NULL); /* before, so that it does not take the number itself */
            int number = peer_other_end(peer_port(fd));
            if (style == 1)
                wait_parked(&host, "echo", "ferry_recv");
            ferry_abort(watch_conn(&host.watch, i));
            count_wait(&host.watch.closed, i + 1);
            if (style == 1)
                count_wait(&host.watch.served, i + 1);
            assert_int_equal(peer_join(next, host.address), 0);
            expect_echoes(next, 3);
            assert_int_equal(peer_other_end(peer_port(next)), number);
            peer_close(fd);
            fd = next;
        }
        peer_close(fd);
        count_wait(&host.watch.closed, 21);
        host_stop(&host);
    }
}

/* A coroutine's shutdown marks the connection as dead at once, and what other threads had queued is gone: burger's code. */
enum { BEFORE = 2000, LINE = 500 };

struct handing {
    struct host host;
    ferry_wait_group *sent;
};

static void shut_down_behind(ferry_conn *conn, void *arg)
{
    struct handing *handing = arg;
    char byte;
    assert_int_equal(ferry_wait_group_wait(handing->sent), 0);
    ferry_shutdown(conn);
    ferry_send(conn, "too late", 8);
    assert_int_equal(ferry_recv(conn, &byte, 1), 0);
}

static void a_coroutines_shutdown_leaves_what_threads_sent(void)
{
    static struct handing handing;
    struct pattern pattern = {.seed = 3};
    struct pattern expected = pattern;
    char line[LINE];
    handing = (struct handing){.sent = ferry_wait_group_new()};
    ferry_wait_group_add(handing.sent, 1);
    host_start(&handing.host,
               &(ferry_service){.serve = shut_down_behind, .arg = &handing, .socket.send_buffer = 16 * 1024});
    int fd = peer_connect_with(handing.host.address, &tiny);
    ferry_conn *conn = watch_conn(&handing.host.watch, 0);
    for (size_t i = 0; i < BEFORE; i++) {
        pattern_fill(&pattern, line, LINE);
        ferry_send(conn, line, LINE);
    }
    ferry_wait_group_done(handing.sent);
    sleep_ms(2);
    peer_read_pattern(fd, &expected, (uint64_t)BEFORE * LINE);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&handing.host.watch, 0, NULL), 0);
    host_stop(&handing.host);
    ferry_wait_group_free(handing.sent);
}

const struct test_case test_cases[] = {
    {"the_answer_outlives_an_end_that_came_with_the_question", the_answer_outlives_an_end_that_came_with_the_question},
    {"an_end_in_the_midst_of_the_close_drops_nothing", an_end_in_the_midst_of_the_close_drops_nothing},
    {"a_close_that_lingers_blocks_nobody", a_close_that_lingers_blocks_nobody},
    {"a_peer_that_talks_on_does_not_hold_a_close", a_peer_that_talks_on_does_not_hold_a_close},
    {"a_reader_that_trickles_does_not_hold_a_close", a_reader_that_trickles_does_not_hold_a_close},
    {"sockets_of_the_gone_do_not_pile_up", sockets_of_the_gone_do_not_pile_up},
    {"the_next_with_that_number_is_served", the_next_with_that_number_is_served},
    {"a_coroutines_shutdown_leaves_what_threads_sent", a_coroutines_shutdown_leaves_what_threads_sent},
    {NULL, NULL},
};
