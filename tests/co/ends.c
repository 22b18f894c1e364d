/* SPDX-License-Identifier: MIT
 *
 * The end of a connection while a coroutine is parked on it, as a table: {in recv, in send, in flush} x {what ends it}. The
 * call returns, the reason is what the next calls report, and on_close comes once.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

enum { MUCH = 8 * 1024 * 1024, GRACE_MS = 200, LINGER_MS = 200 };

struct scene;

struct way_to_park {
    const char *call;
    int (*enter)(ferry_conn *conn);
};

static int in_recv(ferry_conn *conn)
{
    char byte;
    return (int)ferry_recv(conn, &byte, 1);
}

static int in_send(ferry_conn *conn)
{
    char *much = calloc(1, MUCH);
    assert_non_null(much);
    ferry_send(conn, much, MUCH);
    free(much);
    return in_recv(conn);
}

static void send_from_outside(void *conn)
{
    char *much = calloc(1, MUCH);
    assert_non_null(much);
    ferry_send(conn, much, MUCH);
    free(much);
}

static int in_flush(ferry_conn *conn)
{
    ferry_post(ferry_loop_current(), send_from_outside, conn);
    while (ferry_conn_pending(conn) == 0)
        assert_int_equal(ferry_sleep(0), 0);
    return ferry_flush(conn);
}

static const struct way_to_park ways[] = {
    {"ferry_recv", in_recv},
    {"ferry_send", in_send},
    {"ferry_flush", in_flush},
};

enum { WAYS = 3 };

struct scene {
    struct host host;
    const struct way_to_park *way;
    ferry_conn *conn;
    int fd;
    int result, again;
    unsigned closes;
    bool peer_gone;
};

static void serve(ferry_conn *conn, void *arg)
{
    struct scene *scene = arg;
    scene->result = scene->way->enter(conn);
    scene->again = in_recv(conn);
}

static void closed(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    (void)reason;
    ((struct scene *)arg)->closes++;
}

static void reset_by_peer(struct scene *scene)
{
    peer_reset(scene->fd);
    scene->peer_gone = true;
}

static void abort_here(struct scene *scene)
{
    ferry_abort(scene->conn);
}

static void close_here(struct scene *scene)
{
    ferry_close(scene->conn);
}

static void abort_it(void *conn)
{
    ferry_abort(conn);
}

static void close_it(void *conn)
{
    ferry_close(conn);
}

static void abort_in_a_coroutine(struct scene *scene)
{
    run_through(&scene->host, 0, abort_it, scene->conn);
}

static void close_in_a_coroutine(struct scene *scene)
{
    run_through(&scene->host, 0, close_it, scene->conn);
}

static void abort_in_a_callback(struct scene *scene)
{
    host_call(&scene->host, 0, abort_it, scene->conn);
}

static void stop_pool(struct scene *scene)
{
    ferry_pool_stop(scene->host.pool);
}

static void stop_pool_twice(struct scene *scene)
{
    ferry_pool_stop(scene->host.pool);
    ferry_pool_stop(scene->host.pool);
}

/* What the call says in recv, in send (the next call does) and in flush; and what it says when it is asked again. Closing
 * ends the input, and leaves the output its time. */
static const struct end {
    const char *name;
    void (*happen)(struct scene *scene);
    int results[WAYS], again[WAYS];
} ends[] = {
    {"reset by the peer",
     reset_by_peer,
     {-ECONNRESET, -ECONNRESET, -ECONNRESET},
     {-ECONNRESET, -ECONNRESET, -ECONNRESET}},
    {"abort by a thread",
     abort_here,
     {-ECONNABORTED, -ECONNABORTED, -ECONNABORTED},
     {-ECONNABORTED, -ECONNABORTED, -ECONNABORTED}},
    {"abort by a coroutine",
     abort_in_a_coroutine,
     {-ECONNABORTED, -ECONNABORTED, -ECONNABORTED},
     {-ECONNABORTED, -ECONNABORTED, -ECONNABORTED}},
    {"abort by a callback",
     abort_in_a_callback,
     {-ECONNABORTED, -ECONNABORTED, -ECONNABORTED},
     {-ECONNABORTED, -ECONNABORTED, -ECONNABORTED}},
    {"close by a thread", close_here, {0, -ETIMEDOUT, -ETIMEDOUT}, {0, -ETIMEDOUT, -ETIMEDOUT}},
    {"close by a coroutine", close_in_a_coroutine, {0, -ETIMEDOUT, -ETIMEDOUT}, {0, -ETIMEDOUT, -ETIMEDOUT}},
    {"the pool stops", stop_pool, {-ECANCELED, -ECANCELED, -ECANCELED}, {-ECANCELED, -ECANCELED, -ECANCELED}},
    {"the pool stops at once",
     stop_pool_twice,
     {-ECANCELED, -ECANCELED, -ECANCELED},
     {-ECANCELED, -ECANCELED, -ECANCELED}},
};

static void check(const struct end *end, size_t way)
{
    static struct scene scene;
    const ferry_service service = {.serve = serve, .on_close = closed, .arg = &scene, .linger_ms = LINGER_MS};
    scene = (struct scene){.way = &ways[way], .result = 1000, .again = 1000};
    host_init(&scene.host, &service);
    host_run(&scene.host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .grace_ms = GRACE_MS});
    scene.fd = peer_connect_with(scene.host.address, &tiny);
    scene.conn = watch_conn(&scene.host.watch, 0);
    wait_parked(&scene.host, NULL, ways[way].call);
    end->happen(&scene);
    count_wait(&scene.host.watch.served, 1);
    assert_reason(scene.result, end->results[way]);
    assert_reason(scene.again, end->again[way]);
    if (!scene.peer_gone)
        peer_close(scene.fd);
    count_wait(&scene.host.watch.closed, 1);
    host_stop(&scene.host);
    assert_int_equal(scene.closes, 1);
}

static void while_it_is_parked(void)
{
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        for (size_t way = 0; way < WAYS; way++) {
            case_row("%s, in %s", ends[i].name, ways[way].call);
            check(&ends[i], way);
        }
}

/* It returns while bytes are on their way: they arrive, then the end. */
static void send_and_return(ferry_conn *conn, void *arg)
{
    struct pattern pattern = {.seed = 1};
    char *much = malloc(MUCH);
    (void)arg;
    assert_non_null(much);
    pattern_fill(&pattern, much, MUCH);
    ferry_sendv(conn, &(struct iovec){much, MUCH}, 1);
    free(much);
}

static void what_was_sent_arrives_after_it_returns(void)
{
    struct host host;
    struct pattern pattern = {.seed = 1};
    host_start(&host, &(ferry_service){.serve = send_and_return, .high_water = 2 * MUCH});
    int fd = peer_connect_with(host.address, &tiny);
    count_wait(&host.watch.served, 1);
    peer_read_pattern(fd, &pattern, MUCH);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* The end is told before the coroutine has ended, and its reference keeps the connection. */
struct stay {
    struct count closed;
    int error;
};

static void stay_on(ferry_conn *conn, void *arg)
{
    struct stay *stay = arg;
    while (count_get(&stay->closed) == 0)
        assert_int_equal(ferry_sleep(1), 0);
    stay->error = ferry_conn_error(conn);
    ferry_send(conn, "x", 1);
    ferry_shutdown(conn);
    ferry_close(conn);
    ferry_abort(conn);
    assert_int_equal(ferry_flush(conn), stay->error);
}

static void count_close(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    assert_reason(reason, -ECONNRESET);
    count_add(&((struct stay *)arg)->closed, 1);
}

static void a_coroutine_may_outlive_its_connection(void)
{
    struct host host;
    struct stay stay = {.error = 0};
    ferry_stats stats;
    host_start(&host, &(ferry_service){.serve = stay_on, .on_close = count_close, .arg = &stay});
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    peer_reset(fd);
    count_wait(&host.watch.served, 1);
    assert_reason(stay.error, -ECONNRESET);
    ferry_conn_stats(conn, &stats);
    assert_int_equal(stats.drops, 1);
    host_stop(&host);
    assert_int_equal(count_get(&stay.closed), 1);
}

/* More than is kept is taken as it comes: the end, and a reset, come in the midst of it. Nothing is nothing. */
struct long_read {
    struct host host;
    ssize_t got;
};

static void read_long(ferry_conn *conn, void *arg)
{
    struct long_read *read = arg;
    char bytes[1000];
    assert_int_equal(ferry_recv_exact(conn, bytes, 0), 0);
    assert_int_equal(ferry_recv(conn, bytes, 0), -EINVAL);
    read->got = ferry_recv_exact(conn, bytes, sizeof bytes);
}

static void a_long_read_is_cut_short(void)
{
    static const struct {
        void (*end)(int fd);
        ssize_t got;
    } rows[] = {{peer_close, 300}, {peer_reset, -ECONNRESET}};
    for (size_t i = 0; i < 2; i++) {
        static struct long_read read;
        ferry_stats stats;
        static const char bytes[300];
        case_row("row %zu", i);
        read = (struct long_read){.got = -1};
        host_start(&read.host, &(ferry_service){.serve = read_long, .arg = &read, .max_input = 200});
        int fd = peer_connect(read.host.address);
        ferry_conn *conn = watch_conn(&read.host.watch, 0);
        peer_write(fd, bytes, sizeof bytes);
        do
            ferry_conn_stats(conn, &stats);
        while (stats.received < sizeof bytes);
        rows[i].end(fd);
        count_wait(&read.host.watch.served, 1);
        assert_int_equal(read.got, rows[i].got);
        count_wait(&read.host.watch.closed, 1);
        host_stop(&read.host);
    }
}

const struct test_case test_cases[] = {
    {"while_it_is_parked", while_it_is_parked},
    {"what_was_sent_arrives_after_it_returns", what_was_sent_arrives_after_it_returns},
    {"a_coroutine_may_outlive_its_connection", a_coroutine_may_outlive_its_connection},
    {"a_long_read_is_cut_short", a_long_read_is_cut_short},
    {NULL, NULL},
};
