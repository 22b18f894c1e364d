/* SPDX-License-Identifier: MIT
 *
 * The peer closes its half first: what was queued for it still arrives, and the service decides what comes next.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include "../co/parked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

enum { QUEUED = 8 * 1024 * 1024 };

static void send_pattern(ferry_conn *conn, uint64_t seed, size_t len)
{
    char *data = pattern_new(seed, len);
    ferry_send(conn, data, len);
    free(data);
}

static size_t answer(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    (void)arg;
    send_pattern(conn, 1, scale(QUEUED));
    return len;
}

/* Asks, closes its half at once, and reads slowly what was queued. */
static void ask_and_read(const ferry_service *service, uint64_t more)
{
    struct host host;
    struct pattern pattern = {.seed = 1};
    ferry_stats stats;
    host_start(&host, service);
    int fd = peer_connect_with(host.address, &tiny);
    peer_write(fd, "?", 1);
    peer_half_close(fd);
    peer_read_pattern(fd, &pattern, scale(QUEUED));
    pattern = (struct pattern){.seed = 2};
    peer_read_pattern(fd, &pattern, more);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.verdict, FERRY_VERDICT_ACKED);
    assert_int_equal(stats.written, scale(QUEUED) + more);
    host_stop(&host);
}

static void by_default_the_queue_goes_out_then_fin(void)
{
    static const ferry_service service = {.on_data = answer};
    ask_and_read(&service, 0);
}

static void send_more_and_close(ferry_conn *conn, void *arg)
{
    (void)arg;
    send_pattern(conn, 2, 1000000);
    ferry_close(conn);
}

static void on_eof_may_send_more(void)
{
    static const ferry_service service = {.on_data = answer, .on_eof = send_more_and_close};
    ask_and_read(&service, 1000000);
}

static void ignore_eof(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

/* After the peer's FIN the connection may stay open for as long as the service likes. */
static void sending_goes_on_after_the_peers_fin(void)
{
    static const ferry_service service = {.on_data = answer, .on_eof = ignore_eof};
    struct host host;
    struct pattern pattern = {.seed = 3};
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    peer_half_close(fd);
    count_wait(&host.watch.eofs, 1);
    for (size_t i = 0; i < 20; i++) {
        send_pattern(conn, 3, 100000);
        pattern.at = 0;
        peer_read_pattern(fd, &pattern, 100000);
    }
    assert_int_equal(count_get(&host.watch.closed), 0);
    assert_false(peer_readable(fd));
    ferry_shutdown(conn); /* the second half: now both have finished */
    peer_expect_eof(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    assert_int_equal(count_get(&host.watch.eofs), 1);
    peer_close(fd);
    host_stop(&host);
}

/* Both halves at once, many times: whichever is first, on_close comes once, with 0. */
static void both_at_once(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    host_start(&host, &service);
    for (size_t i = 0; i < scale(500); i++) {
        int fd = peer_connect(host.address);
        ferry_conn *conn = watch_conn(&host.watch, i);
        ferry_shutdown(conn);
        peer_half_close(fd);
        peer_expect_eof(fd);
        assert_reason(watch_reason(&host.watch, i, NULL), 0);
        peer_close(fd);
    }
    host_stop(&host);
}

static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    count_add(arg, len);
    return len;
}

/* The end of file comes after the last byte, however the two arrive. */
static void eof_comes_after_all_data(void)
{
    struct host host;
    struct count bytes = {0};
    const ferry_service service = {.arg = &bytes, .on_data = swallow, .on_eof = ignore_eof};
    struct pattern pattern = {.seed = 4};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pattern(fd, &pattern, scale(QUEUED));
    peer_half_close(fd);
    count_wait(&host.watch.eofs, 1);
    assert_int_equal(count_get(&bytes), scale(QUEUED));
    ferry_close(watch_conn(&host.watch, 0));
    peer_expect_eof(fd);
    peer_close(fd);
    host_stop(&host);
}

/* What a dump says of each stage; in on_eof, when ours was first, both have ended. */
struct stages {
    struct host host;
    const char *in_eof;
    struct count told;
};

static bool dump_says(char *text, const char *state)
{
    bool found = strstr(text, state) != NULL;
    free(text);
    return found;
}

static char *dump_here(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    ferry_loop_dump(ferry_loop_current(), to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static void look_in_eof(ferry_conn *conn, void *arg)
{
    struct stages *stages = arg;
    (void)conn;
    assert_true(dump_says(dump_here(), stages->in_eof));
    count_add(&stages->told, 1);
}

static void the_dump_tells_the_stages(void)
{
    static struct stages stages;
    const ferry_service service = {.on_eof = look_in_eof, .arg = &stages, .linger_ms = 2 * case_patience_ms()};
    stages = (struct stages){.in_eof = " peer ended: "};
    host_start(&stages.host, &service);
    int fd = peer_connect(stages.host.address);
    ferry_conn *conn = watch_conn(&stages.host.watch, 0);
    assert_true(dump_says(dump_of(&stages.host, 0), " open: "));
    peer_half_close(fd);
    count_wait(&stages.told, 1);
    assert_true(dump_says(dump_of(&stages.host, 0), " peer ended: "));
    ferry_abort(conn);
    peer_close(fd);
    count_wait(&stages.host.watch.closed, 1);
    stages.in_eof = " both ended: ";
    fd = peer_connect(stages.host.address);
    ferry_shutdown(watch_conn(&stages.host.watch, 1));
    peer_expect_eof(fd);
    assert_true(dump_says(dump_of(&stages.host, 0), " we ended: "));
    peer_half_close(fd);
    count_wait(&stages.told, 2);
    peer_close(fd);
    count_wait(&stages.host.watch.closed, 2);
    fd = peer_connect(stages.host.address);
    ferry_close(watch_conn(&stages.host.watch, 2));
    peer_expect_eof(fd);
    assert_true(dump_says(dump_of(&stages.host, 0), " closing: "));
    peer_close(fd);
    count_wait(&stages.host.watch.closed, 3);
    host_stop(&stages.host);
}

const struct test_case test_cases[] = {
    {"by_default_the_queue_goes_out_then_fin", by_default_the_queue_goes_out_then_fin},
    {"on_eof_may_send_more", on_eof_may_send_more},
    {"sending_goes_on_after_the_peers_fin", sending_goes_on_after_the_peers_fin},
    {"both_at_once", both_at_once},
    {"eof_comes_after_all_data", eof_comes_after_all_data},
    {"the_dump_tells_the_stages", the_dump_tells_the_stages},
    {NULL, NULL},
};
