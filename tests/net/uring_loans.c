/* SPDX-License-Identifier: MIT
 *
 * Big messages that have an owner may be sent by the kernel from where they lie: they are not given back before it has
 * read them for the last time, which here is when the peer reads. Where it copies all the same, as over loopback, it is
 * asked no more. Over each backend, since what is promised is the same.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PIECES = 12, PIECE = 512 * 1024, SEED = 77, NOTICE = 64 };

/* Each piece is spoilt when it is given back: who still reads it then reads something else. */
static struct count returned;

static void spoil(void *piece)
{
    memset(piece, 0xee, PIECE);
    free(piece);
    count_add(&returned, 1);
}

static void send_piece(ferry_conn *conn, struct pattern *pattern)
{
    char *piece = malloc(PIECE);
    assert_non_null(piece);
    pattern_fill(pattern, piece, PIECE);
    ferry_send_owned(conn, piece, PIECE, spoil);
}

/* A small message goes ahead of each, as a header does. */
static void send_pieces(ferry_conn *conn, void *arg)
{
    (void)arg;
    struct pattern pattern = {.seed = SEED};
    for (int i = 0; i < PIECES; i++) {
        char notice[NOTICE];
        pattern_fill(&pattern, notice, sizeof notice);
        ferry_send(conn, notice, sizeof notice);
        send_piece(conn, &pattern);
    }
}

static uint64_t lent(struct host *host)
{
    ferry_loop_counters counters;
    host_counters(host, 0, &counters);
    return counters.lent;
}

static bool lends(const struct host *host)
{
    return strcmp(ferry_pool_backend(host->pool), "io_uring") == 0;
}

/* From another address than the server's the peer is not known to be on this machine. */
static int start(struct host *host, const char *from)
{
    static const ferry_service service = {
        .on_open = send_pieces, .linger_ms = 10000, .socket.send_buffer = 1024 * 1024};
    returned = (struct count){0};
    host_start(host, &service);
    return peer_connect_with(host->address, &(struct peer_options){.receive_buffer = 64 * 1024, .from = from});
}

static bool is_full(void *arg)
{
    struct host *host = arg;
    ferry_stats first, second;
    ferry_conn_stats(watch_conn(&host->watch, 0), &first);
    host_settle(host);
    sleep_ms(10);
    ferry_conn_stats(watch_conn(&host->watch, 0), &second);
    return first.written > PIECE / 2 && first.written == second.written;
}

static void read_late(void)
{
    struct host host;
    struct pattern pattern = {.seed = SEED};
    int fd = start(&host, "127.0.0.2");
    wait_until(is_full, &host);
    assert_true(lends(&host) == (lent(&host) > 0));
    peer_read_pattern(fd, &pattern, PIECES * (PIECE + NOTICE));
    count_wait(&returned, PIECES);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
    assert_int_equal(count_get(&returned), PIECES);
}

static void nothing_is_given_back_before_it_is_read(void)
{
    host_on_each_backend(read_late);
}

static void send_one_more(void *arg)
{
    ferry_conn *conn = arg;
    struct pattern pattern = {.seed = SEED, .at = PIECES * (PIECE + NOTICE)};
    send_piece(conn, &pattern);
}

static void copied_once(void)
{
    struct host host;
    struct pattern pattern = {.seed = SEED};
    int fd = start(&host, "127.0.0.2");
    peer_read_pattern(fd, &pattern, PIECES * (PIECE + NOTICE));
    count_wait(&returned, PIECES);
    uint64_t before = lent(&host);
    host_call(&host, 0, send_one_more, watch_conn(&host.watch, 0));
    peer_read_pattern(fd, &pattern, PIECE);
    count_wait(&returned, PIECES + 1);
    assert_int_equal(lent(&host), before);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
}

static void what_is_copied_all_the_same_is_lent_no_more(void)
{
    host_on_each_backend(copied_once);
}

static void on_this_machine(void)
{
    struct host host;
    struct pattern pattern = {.seed = SEED};
    int fd = start(&host, NULL);
    peer_read_pattern(fd, &pattern, PIECES * (PIECE + NOTICE));
    count_wait(&returned, PIECES);
    assert_int_equal(lent(&host), 0);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
}

static void a_peer_on_this_machine_is_sent_copies(void)
{
    host_on_each_backend(on_this_machine);
}

/* What has arrived by then is of the pattern; all comes back, once. */
static void abort_with_loans(void)
{
    struct host host;
    struct pattern pattern = {.seed = SEED};
    int fd = start(&host, "127.0.0.2");
    wait_until(is_full, &host);
    ferry_abort(watch_conn(&host.watch, 0));
    assert_int_equal(peer_read_to_end(fd, &pattern, NULL), ECONNRESET);
    count_wait(&host.watch.closed, 1);
    count_wait(&returned, PIECES);
    peer_close(fd);
    host_stop(&host);
    assert_int_equal(count_get(&returned), PIECES);
}

static void an_abort_gives_all_of_it_back(void)
{
    host_on_each_backend(abort_with_loans);
}

static void cut_with_loans(void)
{
    struct host host;
    int fd = start(&host, "127.0.0.2");
    wait_until(is_full, &host);
    host_cut(&host);
    assert_int_equal(count_get(&returned), PIECES);
    peer_close(fd);
}

static void so_does_the_end_of_the_pool(void)
{
    host_on_each_backend(cut_with_loans);
}

const struct test_case test_cases[] = {
    {"nothing_is_given_back_before_it_is_read", nothing_is_given_back_before_it_is_read},
    {"what_is_copied_all_the_same_is_lent_no_more", what_is_copied_all_the_same_is_lent_no_more},
    {"a_peer_on_this_machine_is_sent_copies", a_peer_on_this_machine_is_sent_copies},
    {"an_abort_gives_all_of_it_back", an_abort_gives_all_of_it_back},
    {"so_does_the_end_of_the_pool", so_does_the_end_of_the_pool},
    {NULL, NULL},
};
