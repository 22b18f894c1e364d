/* SPDX-License-Identifier: MIT
 *
 * Input in straight lines: the four ways to have it, in whatever pieces it comes; what is left over; the end; and who may
 * not read.
 */
#include "case.h"
#include "parked.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <string.h>

enum { STREAM = 100 * 1000 };

static void echo(ferry_conn *conn, void *arg)
{
    char bytes[1000];
    ssize_t n;
    (void)arg;
    while ((n = ferry_recv(conn, bytes, sizeof bytes)) > 0)
        ferry_send(conn, bytes, (size_t)n);
    assert_true(n == 0);
}

static void echo_exactly(ferry_conn *conn, void *arg)
{
    char bytes[777];
    ssize_t n;
    (void)arg;
    do {
        n = ferry_recv_exact(conn, bytes, sizeof bytes);
        assert_true(n >= 0);
        ferry_send(conn, bytes, (size_t)n);
    } while (n == sizeof bytes);
    assert_int_equal(n, STREAM % sizeof bytes);
}

/* Takes a part of what is lent at a time, and does other things with the rest left over. */
static void echo_lent(ferry_conn *conn, void *arg)
{
    uint64_t series = 5;
    const void *data;
    ssize_t n;
    (void)arg;
    while ((n = ferry_peek(conn, &data)) > 0) {
        size_t part = 1 + random_below(&series, (size_t)n);
        ferry_send(conn, data, part);
        ferry_consume(conn, part);
        if (part % 3 == 0)
            ferry_yield();
        else if (part % 3 == 1)
            assert_int_equal(ferry_sleep(0), 0);
    }
    assert_true(n == 0);
}

struct writing {
    int fd;
    size_t most;
};

static void *write_pieces(void *arg)
{
    const struct writing *writing = arg;
    struct pattern pattern = {.seed = 1};
    peer_write_pieces(writing->fd, &pattern, scale(STREAM / 777) * 777 + STREAM % 777, writing->most);
    peer_half_close(writing->fd);
    return NULL;
}

static void check_echo(void (*serve)(ferry_conn *, void *), size_t most)
{
    struct host host;
    struct pattern pattern = {.seed = 1};
    uint64_t total;
    pthread_t thread;
    host_start(&host, &(ferry_service){.serve = serve});
    struct writing writing = {.fd = peer_connect(host.address), .most = most};
    assert_int_equal(pthread_create(&thread, NULL, write_pieces, &writing), 0);
    assert_int_equal(peer_read_to_end(writing.fd, &pattern, &total), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(total, scale(STREAM / 777) * 777 + STREAM % 777);
    peer_close(writing.fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

static void in_pieces_of_any_size(void)
{
    static void (*const ways[])(ferry_conn *, void *) = {echo, echo_exactly, echo_lent};
    static const size_t most[] = {1, 10, 3000, 60000};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++)
        for (size_t i = 0; i < sizeof most / sizeof most[0]; i++) {
            case_row("way %zu, pieces up to %zu", way, most[i]);
            check_echo(ways[way], most[i]);
        }
}

/* recv_until: each segment is written when what came before has been seen. */
enum { SEGMENTS = 6 };

static const struct talk {
    const char *name;
    const char *segments[SEGMENTS];
    const char *delimiter;
    size_t cap;
    const char *expected; /* what it returns, one after the other, with a '|' behind each; then what is left */
} talks[] = {
    {"one line", {"hello\r\n"}, "\r\n", 100, "hello\r\n|"},
    {"two lines in one segment", {"a\nbc\n"}, "\n", 100, "a\n|bc\n|"},
    {"empty lines", {"\n\n", "\n"}, "\n", 1, "\n|\n|\n|"},
    {"a delimiter in two segments", {"hello\r", "\nyou\r", "\n"}, "\r\n", 100, "hello\r\n|you\r\n|"},
    {"byte by byte", {"a", "b", "-", "-", "-"}, "---", 100, "ab---|"},
    {"one that nearly was", {"a--b-", "-", "-"}, "---", 100, "a--b---|"},
    {"one that overlaps itself", {"aab", "aa", "c"}, "aabaac", 100, "aabaac|"},
    {"as long as the buffer", {"abc", "\n"}, "\n", 4, "abc\n|"},
    {"an end inside", {"abc\nde", "f"}, "\n", 100, "abc\n|def"},
    {"an end inside the delimiter", {"abc\r"}, "\r\n", 100, "abc\r"},
};

struct listening {
    const struct talk *talk;
    char heard[200];
    struct count ended;
};

static void listen_to(ferry_conn *conn, void *arg)
{
    struct listening *listening = arg;
    char *at = listening->heard;
    ssize_t n;
    while ((n = ferry_recv_until(conn, at, listening->talk->cap, listening->talk->delimiter)) > 0) {
        at += n;
        *at++ = '|';
    }
    assert_true(n == 0);
    n = ferry_recv(conn, at, listening->talk->cap);
    at[n] = '\0';
    count_add(&listening->ended, 1);
}

static void until_a_delimiter(void)
{
    for (size_t i = 0; i < sizeof talks / sizeof talks[0]; i++) {
        struct host host;
        struct listening listening = {.talk = &talks[i]};
        case_row("%s", talks[i].name);
        host_start(&host, &(ferry_service){.serve = listen_to, .arg = &listening});
        int fd = peer_connect(host.address);
        for (size_t s = 0; s < SEGMENTS && talks[i].segments[s] != NULL; s++) {
            wait_parked(&host, NULL, "ferry_recv_until");
            peer_write(fd, talks[i].segments[s], strlen(talks[i].segments[s]));
        }
        wait_parked(&host, NULL, "ferry_recv_until");
        peer_half_close(fd);
        count_wait(&listening.ended, 1);
        assert_string_equal(listening.heard, talks[i].expected);
        peer_close(fd);
        host_stop(&host);
    }
}

static void too_long_a_line(ferry_conn *conn, void *arg)
{
    char bytes[100] = "";
    assert_int_equal(ferry_recv_until(conn, bytes, 4, "\r\n"), -EMSGSIZE);
    assert_int_equal(ferry_recv_until(conn, bytes, 4, "\r\n"), -EMSGSIZE);
    assert_int_equal(ferry_recv_until(conn, bytes, 5, "\r\n"), -EMSGSIZE);
    assert_int_equal(ferry_recv_until(conn, bytes, 6, "\r\n"), 6);
    assert_memory_equal(bytes, "abcd\r\n", 6);
    assert_int_equal(ferry_recv_until(conn, bytes, 0, "\r\n"), -EINVAL);
    assert_int_equal(ferry_recv_until(conn, bytes, 10, ""), -EINVAL);
    assert_int_equal(ferry_recv(conn, bytes, 0), -EINVAL);
    assert_int_equal(ferry_recv_exact(conn, bytes, 3), 3);
    assert_memory_equal(bytes, "xyz", 3);
    count_add(arg, 1);
}

static void what_is_too_long_stays(void)
{
    struct host host;
    struct count ended = {0};
    host_start(&host, &(ferry_service){.serve = too_long_a_line, .arg = &ended});
    int fd = peer_connect(host.address);
    peer_write(fd, "abcd\r\nxyz", 9);
    count_wait(&ended, 1);
    peer_close(fd);
    host_stop(&host);
}

/* What was not consumed comes again in one piece with what follows, also when the coroutine has slept in between. */
struct leaving {
    struct count slept;
};

static void leave_some(ferry_conn *conn, void *arg)
{
    struct leaving *leaving = arg;
    const void *data;
    char bytes[10];
    assert_int_equal(ferry_peek(conn, &data), 3);
    assert_memory_equal(data, "abc", 3);
    ferry_consume(conn, 1);
    assert_int_equal(ferry_peek(conn, &data), 2);
    assert_int_equal(ferry_sleep(1), 0);
    assert_int_equal(ferry_peek(conn, &data), 2);
    assert_memory_equal(data, "bc", 2);
    ferry_consume(conn, 0);
    count_add(&leaving->slept, 1);
    assert_int_equal(ferry_recv_until(conn, bytes, sizeof bytes, "!"), 6);
    assert_memory_equal(bytes, "bcdef!", 6);
    assert_int_equal(ferry_peek(conn, &data), 2);
    assert_memory_equal(data, "gh", 2);
    count_add(&leaving->slept, 1);
}

static void what_is_left_comes_again(void)
{
    struct host host;
    struct leaving leaving = {{0}};
    host_start(&host, &(ferry_service){.serve = leave_some, .arg = &leaving});
    int fd = peer_connect(host.address);
    peer_write(fd, "abc", 3);
    count_wait(&leaving.slept, 1);
    wait_parked(&host, NULL, "ferry_recv_until");
    peer_write(fd, "de", 2);
    wait_parked(&host, NULL, "ferry_recv_until");
    peer_write(fd, "f!gh", 4);
    count_wait(&leaving.slept, 2);
    peer_close(fd);
    host_stop(&host);
}

/* At the end each call says so, as often as it is asked; sending goes on. */
static void ask_at_the_end(ferry_conn *conn, void *arg)
{
    char bytes[10];
    const void *data;
    (void)arg;
    assert_int_equal(ferry_recv_exact(conn, bytes, 10), 5);
    assert_memory_equal(bytes, "hello", 5);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ferry_recv(conn, bytes, 10), 0);
        assert_int_equal(ferry_recv_exact(conn, bytes, 10), 0);
        assert_int_equal(ferry_recv_until(conn, bytes, 10, "\n"), 0);
        assert_int_equal(ferry_peek(conn, &data), 0);
        ferry_send(conn, "more", 4);
        assert_int_equal(ferry_flush(conn), 0);
    }
}

static void the_end_is_for_ever(void)
{
    struct host host;
    char bytes[12];
    host_start(&host, &(ferry_service){.serve = ask_at_the_end});
    int fd = peer_connect(host.address);
    peer_write(fd, "hello", 5);
    peer_half_close(fd);
    peer_read(fd, bytes, sizeof bytes);
    assert_memory_equal(bytes, "moremoremore", 12);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* Bytes that came before the peer's FIN are had first, though the end is known. */
static void read_late(ferry_conn *conn, void *arg)
{
    char bytes[10];
    count_wait(arg, 1); /* holds the loop: the bytes and the end are both there when it looks */
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ferry_recv(conn, bytes, 1), 1);
    assert_int_equal(ferry_recv(conn, bytes, 1), 0);
}

static void bytes_come_before_the_end(void)
{
    struct host host;
    struct count there = {0};
    host_start(&host, &(ferry_service){.serve = read_late, .arg = &there});
    int fd = peer_connect(host.address);
    peer_write(fd, "hello", 5);
    peer_half_close(fd);
    count_add(&there, 1);
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
}

/* Who may not read. */

static void expect_from_all(ferry_conn *conn, int reason)
{
    char bytes[10];
    const void *data;
    assert_int_equal(ferry_recv(conn, bytes, 10), reason);
    assert_int_equal(ferry_recv_exact(conn, bytes, 10), reason);
    assert_int_equal(ferry_recv_until(conn, bytes, 10, "\n"), reason);
    assert_int_equal(ferry_peek(conn, &data), reason);
}

static void expect_busy(void *conn)
{
    expect_from_all(conn, -EBUSY);
    assert_int_equal(ferry_flush(conn), 0);
}

static void one_reads_at_a_time(void)
{
    struct host host;
    char byte;
    host_start(&host, &(ferry_service){.serve = echo});
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    wait_parked(&host, NULL, "ferry_recv");
    run_through(&host, 0, expect_busy, conn);
    peer_write(fd, "x", 1); /* the first goes on as if nothing had been */
    peer_read(fd, &byte, 1);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

static size_t echo_called(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void expect_invalid(void *conn)
{
    expect_from_all(conn, -EINVAL);
    assert_int_equal(ferry_flush(conn), 0); /* any kind of connection */
}

static void not_from_one_with_callbacks(void)
{
    struct host host;
    char byte;
    host_start(&host, &(ferry_service){.on_data = echo_called});
    int fd = peer_connect(host.address);
    run_through(&host, 0, expect_invalid, watch_conn(&host.watch, 0));
    peer_write(fd, "x", 1);
    peer_read(fd, &byte, 1);
    peer_close(fd);
    host_stop(&host);
}

/* After the close the reason is what every call reports. */
static void expect_aborted(ferry_conn *conn, void *arg)
{
    char byte;
    assert_int_equal(ferry_recv(conn, &byte, 1), 1); /* the peer has connected, and does not hear of it there */
    ferry_abort(conn);
    expect_from_all(conn, -ECONNABORTED);
    assert_int_equal(ferry_flush(conn), -ECONNABORTED);
    ferry_yield(); /* on_close comes here */
    expect_from_all(conn, -ECONNABORTED);
    assert_int_equal(ferry_flush(conn), -ECONNABORTED);
    count_add(arg, 1);
}

static void after_an_abort_the_reason(void)
{
    struct host host;
    struct count ended = {0};
    host_start(&host, &(ferry_service){.serve = expect_aborted, .arg = &ended});
    int fd = peer_connect(host.address);
    peer_write(fd, "x", 1);
    count_wait(&ended, 1);
    assert_int_equal(peer_read_to_end(fd, NULL, NULL), ECONNRESET);
    peer_close(fd);
    host_stop(&host);
}

/* The kernel has given all it has, and the reader is slow: nothing is read ahead of it. */
static void read_nothing(ferry_conn *conn, void *arg)
{
    (void)conn;
    assert_int_equal(ferry_wait_group_wait(arg), 0);
}

static void a_busy_coroutine_holds_the_peer_back(void)
{
    struct host host;
    ferry_stats stats;
    ferry_wait_group *group = ferry_wait_group_new();
    ferry_wait_group_add(group, 1);
    host_start(&host, &(ferry_service){.serve = read_nothing, .arg = group});
    int fd = peer_connect(host.address);
    peer_write(fd, "hello", 5);
    wait_parked(&host, NULL, "ferry_wait_group_wait");
    host_settle(&host);
    ferry_conn_stats(watch_conn(&host.watch, 0), &stats);
    assert_int_equal(stats.received, 0);
    ferry_wait_group_done(group);
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
    ferry_wait_group_free(group);
}

const struct test_case test_cases[] = {
    {"in_pieces_of_any_size", in_pieces_of_any_size},
    {"until_a_delimiter", until_a_delimiter},
    {"what_is_too_long_stays", what_is_too_long_stays},
    {"what_is_left_comes_again", what_is_left_comes_again},
    {"the_end_is_for_ever", the_end_is_for_ever},
    {"bytes_come_before_the_end", bytes_come_before_the_end},
    {"one_reads_at_a_time", one_reads_at_a_time},
    {"not_from_one_with_callbacks", not_from_one_with_callbacks},
    {"after_an_abort_the_reason", after_an_abort_the_reason},
    {"a_busy_coroutine_holds_the_peer_back", a_busy_coroutine_holds_the_peer_back},
    {NULL, NULL},
};
