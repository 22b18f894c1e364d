/* SPDX-License-Identifier: MIT
 *
 * Any function may be called from any callback: a table of all pairs. Whatever the pair, on_close comes exactly once,
 * and the context is released exactly once, after it.
 *
 * One connection's life is arranged so that each callback comes: on_open sends more than the peer takes (high water);
 * the peer writes (data), reads (low water, drain), closes its half (end of file) and then all.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

enum { FILL = 256 * 1024 }; /* more than the small send buffer and high_water together */

enum place { ON_OPEN, ON_DATA, ON_EOF, ON_DRAIN, ON_HIGH_WATER, ON_LOW_WATER, ON_CLOSE, PLACES };

static const char *const place_names[PLACES] = {"on_open",       "on_data",      "on_eof",  "on_drain",
                                                "on_high_water", "on_low_water", "on_close"};

struct life {
    struct host host;
    enum place place; /* where the verb is done, the first time that callback comes */
    void (*verb)(struct life *life, ferry_conn *conn);
    bool acted;
    struct count acts;
    bool closed;
    struct count released;
    ferry_timer *timer;
};

/* The context is the life itself. */
static void release(void *context)
{
    struct life *life = context;
    assert_true(life->closed);
    count_add(&life->released, 1);
}

static void act(struct life *life, enum place place, ferry_conn *conn)
{
    if (place != life->place || life->acted)
        return;
    life->acted = true;
    life->verb(life, conn);
    count_add(&life->acts, 1);
}

static void fill(ferry_conn *conn)
{
    char *data = pattern_new(1, FILL);
    ferry_send(conn, data, FILL);
    free(data);
}

static void opened(ferry_conn *conn, void *arg)
{
    struct life *life = arg;
    ferry_conn_set_context(conn, life, release);
    fill(conn);
    act(life, ON_OPEN, conn);
}

static size_t has_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    act(arg, ON_DATA, conn);
    return len;
}

static void has_eof(ferry_conn *conn, void *arg)
{
    act(arg, ON_EOF, conn);
    ferry_close(conn);
}

static void drained(ferry_conn *conn, void *arg)
{
    act(arg, ON_DRAIN, conn);
}

static void high(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending;
    act(arg, ON_HIGH_WATER, conn);
}

static void low(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending;
    act(arg, ON_LOW_WATER, conn);
}

static void closed(ferry_conn *conn, int reason, void *arg)
{
    struct life *life = arg;
    (void)reason;
    assert_false(life->closed);
    assert_int_equal(count_get(&life->released), 0);
    assert_ptr_equal(ferry_conn_context(conn), life);
    act(life, ON_CLOSE, conn);
    life->closed = true;
}

static void do_nothing(struct life *life, ferry_conn *conn)
{
    (void)life;
    (void)conn;
}

static void do_close(struct life *life, ferry_conn *conn)
{
    (void)life;
    ferry_close(conn);
}

static void do_abort(struct life *life, ferry_conn *conn)
{
    (void)life;
    ferry_abort(conn);
}

static void do_shutdown(struct life *life, ferry_conn *conn)
{
    (void)life;
    ferry_shutdown(conn);
}

static void do_pause(struct life *life, ferry_conn *conn)
{
    (void)life;
    ferry_conn_pause(conn);
}

static void do_pause_and_resume(struct life *life, ferry_conn *conn)
{
    (void)life;
    ferry_conn_pause(conn);
    ferry_conn_resume(conn);
}

static void do_send(struct life *life, ferry_conn *conn)
{
    (void)life;
    fill(conn);
    ferry_send(conn, "more", 4);
}

static void do_everything(struct life *life, ferry_conn *conn)
{
    do_send(life, conn);
    do_pause_and_resume(life, conn);
    do_shutdown(life, conn);
    do_close(life, conn);
    do_abort(life, conn);
    do_send(life, conn);
    do_close(life, conn);
}

static void count_first(void *arg)
{
    count_add(arg, 1);
}

/* Sets another context and the first again: each release runs once. */
static void do_set_context(struct life *life, ferry_conn *conn)
{
    struct count other = {0};
    struct count first = {0};
    ferry_conn_set_context(conn, &first, count_first); /* releases the life, in order: that is what life->closed says */
    assert_ptr_equal(ferry_conn_context(conn), &first);
    ferry_conn_set_context(conn, &other, count_first);
    assert_int_equal(count_get(&first), 1);
    ferry_conn_set_context(conn, life, release);
    assert_int_equal(count_get(&other), 1);
}

static void set_context_early(struct life *life, ferry_conn *conn)
{
    life->closed = true;
    do_set_context(life, conn);
    life->closed = false;
    life->released = (struct count){0};
}

static void do_look(struct life *life, ferry_conn *conn)
{
    ferry_stats stats;
    char address[128];
    (void)life;
    ferry_conn_stats(conn, &stats);
    (void)ferry_conn_peer(conn, address, sizeof address);
    (void)ferry_conn_local(conn, address, sizeof address);
    (void)ferry_conn_pending(conn);
    ferry_conn_unref(ferry_conn_ref(conn));
    FILE *null = fopen("/dev/null", "w");
    assert_non_null(null);
    ferry_loop_dump(ferry_conn_loop(conn), null);
    assert_int_equal(fclose(null), 0);
}

static void do_close_listener(struct life *life, ferry_conn *conn)
{
    (void)conn;
    ferry_listener_close(life->host.listener);
}

static void do_stop(struct life *life, ferry_conn *conn)
{
    (void)conn;
    ferry_pool_stop(life->host.pool);
}

static void close_later(void *conn)
{
    ferry_close(conn);
    ferry_conn_unref(conn);
}

static void do_close_later(struct life *life, ferry_conn *conn)
{
    (void)life;
    assert_non_null(ferry_after(ferry_conn_loop(conn), 0, close_later, ferry_conn_ref(conn)));
    ferry_post(ferry_conn_loop(conn), close_later, ferry_conn_ref(conn));
}

static const struct {
    const char *name;
    void (*verb)(struct life *life, ferry_conn *conn);
} verbs[] = {
    {"nothing", do_nothing},
    {"close", do_close},
    {"abort", do_abort},
    {"shutdown", do_shutdown},
    {"pause", do_pause},
    {"pause and resume", do_pause_and_resume},
    {"send", do_send},
    {"everything", do_everything},
    {"set_context", set_context_early},
    {"look", do_look},
    {"listener_close", do_close_listener},
    {"pool_stop", do_stop},
    {"close later", do_close_later},
};

/* Lets each callback come. The connection may end at any point, so nothing that fails is a fault. */
static void live(struct life *life)
{
    int fd = peer_socket(life->host.address, &(struct peer_options){.receive_buffer = PEER_TINY_WINDOW});
    (void)peer_join(fd, life->host.address); /* who is reset by on_open may hear of it here already */
    count_wait(&life->host.watch.opened, 1);
    (void)send(fd, "x", 1, MSG_NOSIGNAL);
    if (life->place == ON_OPEN || life->place == ON_DATA || life->place == ON_HIGH_WATER)
        count_wait(&life->acts, 1);
    uint64_t total = 0;
    char buffer[65536];
    ssize_t got = 1;
    while (total < FILL && (got = recv(fd, buffer, sizeof buffer, 0)) > 0)
        total += (uint64_t)got;
    if (life->place == ON_DRAIN || life->place == ON_LOW_WATER)
        count_wait(&life->acts, 1);
    if (life->place == ON_EOF || life->verb == do_nothing) {
        peer_half_close(fd);
        count_wait(&life->acts, life->place == ON_CLOSE ? 0 : 1);
    }
    peer_reset(fd);
}

static void run_life(enum place place, size_t verb)
{
    static struct life life;
    const ferry_service service = {.arg = &life,
                                   .on_open = opened,
                                   .on_data = has_data,
                                   .on_eof = has_eof,
                                   .on_drain = drained,
                                   .on_high_water = high,
                                   .on_low_water = low,
                                   .on_close = closed,
                                   .high_water = 64 * 1024,
                                   .linger_ms = 50,
                                   .socket.send_buffer = 16 * 1024};
    case_row("%s in %s", verbs[verb].name, place_names[place]);
    life = (struct life){.place = place, .verb = verbs[verb].verb};
    host_init(&life.host, &service);
    life.host.watch.keep = false;
    host_run(&life.host, "127.0.0.1:0", NULL);
    live(&life);
    count_wait(&life.host.watch.closed, 1);
    count_wait(&life.released, 1);
    host_stop(&life.host);
    assert_int_equal(count_get(&life.acts), 1);
    assert_int_equal(count_get(&life.released), 1);
    assert_int_equal(count_get(&life.host.watch.closed), 1);
}

static void run_place(enum place place)
{
    for (size_t verb = 0; verb < sizeof verbs / sizeof verbs[0]; verb++)
        run_life(place, verb);
}

static void in_on_open(void)
{
    run_place(ON_OPEN);
}

static void in_on_data(void)
{
    run_place(ON_DATA);
}

static void in_on_eof(void)
{
    run_place(ON_EOF);
}

static void in_on_drain(void)
{
    run_place(ON_DRAIN);
}

static void in_on_high_water(void)
{
    run_place(ON_HIGH_WATER);
}

static void in_on_low_water(void)
{
    run_place(ON_LOW_WATER);
}

static void in_on_close(void)
{
    run_place(ON_CLOSE);
}

/* What on_close sends goes nowhere, and is counted. */
static void send_it_all(ferry_conn *conn, int reason, void *arg)
{
    ferry_stats before;
    ferry_stats after;
    (void)reason;
    (void)arg;
    ferry_conn_stats(conn, &before);
    ferry_send(conn, "hello", 5);
    ferry_send_owned(conn, calloc(1, 7), 7, free);
    ferry_shutdown(conn);
    ferry_close(conn);
    ferry_abort(conn);
    ferry_conn_pause(conn);
    ferry_conn_resume(conn);
    ferry_conn_stats(conn, &after);
    assert_int_equal(after.queued, before.queued);
    assert_int_equal(after.drops, before.drops + 2);
    assert_int_equal(after.dropped, before.dropped + 12);
    assert_reason(after.drop_reason, -ENOTCONN);
    assert_int_equal(ferry_conn_pending(conn), 0);
}

static void send_in_on_close_is_a_counted_nothing(void)
{
    static const ferry_service service = {.on_close = send_it_all};
    struct host host;
    ferry_loop_counters counters;
    host_start(&host, &service);
    for (size_t i = 0; i < 2; i++) {
        int fd = peer_connect(host.address);
        count_wait(&host.watch.opened, i + 1);
        case_row("%s", i > 0 ? "reset" : "closed");
        if (i > 0)
            peer_reset(fd);
        else
            peer_close(fd);
        count_wait(&host.watch.closed, i + 1);
    }
    host_counters(&host, 0, &counters);
    assert_int_equal(counters.dropped, 4);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"in_on_open", in_on_open},
    {"in_on_data", in_on_data},
    {"in_on_eof", in_on_eof},
    {"in_on_drain", in_on_drain},
    {"in_on_high_water", in_on_high_water},
    {"in_on_low_water", in_on_low_water},
    {"in_on_close", in_on_close},
    {"send_in_on_close_is_a_counted_nothing", send_in_on_close_is_a_counted_nothing},
    {NULL, NULL},
};
