/* SPDX-License-Identifier: MIT
 *
 * Dialing from a coroutine: what comes of it, and straight lines on both ends of one loop.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <stdio.h>

enum { SIZE = 8 * 1024 * 1024 };

static void echo(ferry_conn *conn, void *arg)
{
    const void *data;
    ssize_t n;
    (void)arg;
    while ((n = ferry_peek(conn, &data)) > 0) {
        ferry_send(conn, data, (size_t)n);
        ferry_consume(conn, (size_t)n);
    }
    assert_true(n == 0);
}

/* Sends in one coroutine and receives in another, as one must: the echo may hold back either. */
struct trip {
    const char *address;
    size_t size;
    ferry_conn *conn;
};

static void send_pattern(void *arg)
{
    struct trip *trip = arg;
    struct pattern pattern = {.seed = 1};
    char bytes[50000];
    while (pattern.at < trip->size) {
        size_t left = trip->size - pattern.at;
        size_t len = left < sizeof bytes ? left : sizeof bytes;
        pattern_fill(&pattern, bytes, len);
        ferry_send(trip->conn, bytes, len);
    }
    ferry_shutdown(trip->conn); /* and goes on receiving */
}

static void go_and_return(void *arg)
{
    struct trip *trip = arg;
    struct pattern pattern = {.seed = 1};
    char bytes[30000];
    ssize_t n;
    trip->conn = ferry_dial(trip->address, 0);
    assert_non_null(trip->conn);
    assert_ptr_equal(ferry_conn_loop(trip->conn), ferry_loop_current());
    ferry_co *sender = ferry_spawn_as(ferry_loop_current(), send_pattern, trip,
                                      &(ferry_spawn_options){.stack_size = 128 * 1024});
    assert_non_null(sender);
    while ((n = ferry_recv(trip->conn, bytes, sizeof bytes)) > 0)
        pattern_check(&pattern, bytes, (size_t)n);
    assert_int_equal(n, 0);
    assert_int_equal(pattern.at, trip->size);
    assert_int_equal(ferry_join(sender), 0);
    ferry_close(trip->conn);
    ferry_conn_unref(trip->conn);
}

/* The listener is on all loops, so also on the dialing one. */
static void check_echo(const char *address, unsigned threads)
{
    struct host host;
    case_row("%s, %u", address, threads);
    host_init(&host, &(ferry_service){.serve = echo});
    host_run(&host, address, &(ferry_pool_options){.threads = threads});
    struct trip trip = {.address = host.address, .size = scale(SIZE)};
    run_through(&host, 0, go_and_return, &trip);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
}

static void eight_mib_and_back(void)
{
    char name[64];
    char address[80];
    temp_name(name, sizeof name, "co_dial");
    (void)snprintf(address, sizeof address, "unix:%s", name);
    check_echo("127.0.0.1:0", 1);
    check_echo("127.0.0.1:0", 2);
    check_echo("[::1]:0", 1);
    check_echo(address, 1);
    (void)snprintf(address, sizeof address, "unix:@%s", name);
    check_echo(address, 1);
}

/* Each end ends its half in its own time: the second still sends when the first has stopped. */
static void answer_after_the_end(ferry_conn *conn, void *arg)
{
    char bytes[100];
    (void)arg;
    assert_int_equal(ferry_recv_exact(conn, bytes, sizeof bytes), 8);
    assert_int_equal(ferry_recv(conn, bytes, sizeof bytes), 0);
    ferry_send(conn, "answer", 6);
    ferry_shutdown(conn);
    ferry_shutdown(conn);
    ferry_send(conn, "too late", 8);
}

static void ask_and_end(void *address)
{
    char bytes[100];
    ferry_conn *conn = ferry_dial(address, 0);
    assert_non_null(conn);
    ferry_send(conn, "question", 8);
    ferry_shutdown(conn);
    assert_int_equal(ferry_recv_exact(conn, bytes, sizeof bytes), 6);
    assert_memory_equal(bytes, "answer", 6);
    assert_int_equal(ferry_recv(conn, bytes, sizeof bytes), 0);
    ferry_close(conn);
    ferry_conn_unref(conn);
}

static void half_closed_both_ways(void)
{
    struct host host;
    host_start(&host, &(ferry_service){.serve = answer_after_the_end});
    run_through(&host, 0, ask_and_end, (void *)host.address);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* What does not work. */
struct
try {
    const char *address;
    unsigned timeout_ms;
    int error;
};

static void dial_in_vain(void *arg)
{
    struct try *try = arg;
    errno = 0;
    ferry_conn *conn = ferry_dial(try->address, try->timeout_ms);
    try->error = conn == NULL ? errno : 0;
    if (conn != NULL)
        ferry_conn_unref(conn);
}

static void expect_error(struct host *host, const char *address, unsigned timeout_ms, int error)
{
    struct try try = {address, timeout_ms, 0};
    case_row("%s", address);
    run_through(host, 0, dial_in_vain, &try);
    assert_reason(-try.error, -error);
}

static void what_goes_wrong(void)
{
    struct host host;
    char refusing[32];
    char deaf[32];
    int bound = peer_listen(refusing, sizeof refusing, -1);
    int listener = peer_listen(deaf, sizeof deaf, 0);
    int in_backlog = peer_connect(deaf);
    host_bare(&host, 1);
    expect_error(&host, refusing, 0, ECONNREFUSED);
    expect_error(&host, deaf, 50, ETIMEDOUT);
    expect_error(&host, "unix:/nowhere/at/all", 0, ENOENT);
    expect_error(&host, "unix:@nobody listens to this", 0, ECONNREFUSED);
    expect_error(&host, "127.0.0.1", 0, EINVAL);
    expect_error(&host, "127.0.0.1:", 0, EINVAL);
    expect_error(&host, "127.0.0.1:70000", 0, EINVAL);
    expect_error(&host, "", 0, EINVAL);
    expect_error(&host, "no-such-name.invalid:80", 0, ENOENT);
    host_stop(&host);
    peer_close(bound);
    peer_close(listener);
    peer_close(in_backlog);
}

static void count_open(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

static void stay_silent(ferry_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    ferry_recv(conn, &byte, 1);
}

/* With a service: its limits and on_close are the dialed connection's. */
struct served_dial {
    const char *address;
    ferry_service service;
    int error;
    int reasons[2];
    unsigned closes;
};

static void note_reason(ferry_conn *conn, int reason, void *arg)
{
    struct served_dial *dial = arg;
    (void)conn;
    dial->reasons[dial->closes++] = reason;
}

static void dial_with_service(void *arg)
{
    struct served_dial *dial = arg;
    char byte;
    dial->service.arg = dial;
    ferry_conn *conn = ferry_dial_as(dial->address, 0, &dial->service);
    dial->error = conn == NULL ? errno : 0;
    if (conn == NULL)
        return;
    ssize_t end = ferry_recv(conn, &byte, 1); /* nothing comes */
    assert_int_equal(end, -ETIMEDOUT);
    ferry_conn_unref(conn);
}

static void dial_without_service(void *arg)
{
    int *error = arg;
    assert_null(ferry_dial_as("127.0.0.1:1", 0, NULL));
    *error = errno;
}

static void a_service_has_its_say(void)
{
    int without = 0;
    struct host host;
    char refusing[32];
    int bound = peer_listen(refusing, sizeof refusing, -1);
    host_start(&host, &(ferry_service){.serve = stay_silent});
    struct served_dial silent = {.address = host.address, .service = {.on_close = note_reason, .idle_timeout_ms = 20}};
    struct served_dial refused = {.address = refusing, .service = {.on_close = note_reason}};
    struct served_dial wrong[] = {
        {.address = host.address, .service = {.serve = echo}},
        {.address = host.address, .service = {.on_open = count_open}},
        {.address = host.address, .service = {.on_close = note_reason, .high_water = 1, .low_water = 2}},
    };
    run_through(&host, 0, dial_with_service, &silent);
    assert_int_equal(silent.closes, 1);
    assert_reason(silent.reasons[0], -ETIMEDOUT);
    run_through(&host, 0, dial_with_service, &refused);
    assert_int_equal(refused.error, ECONNREFUSED);
    assert_int_equal(refused.closes, 1);
    assert_reason(refused.reasons[0], -ECONNREFUSED);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        run_through(&host, 0, dial_with_service, &wrong[i]);
        assert_int_equal(wrong[i].error, EINVAL);
        assert_int_equal(wrong[i].closes, 0);
    }
    run_through(&host, 0, dial_without_service, &without);
    assert_int_equal(without, EINVAL);
    peer_close(bound);
    host_cut(&host);
}

/* Cancelled at once: while the name is looked up, or before. */
static void dial_until_cancelled(void *arg)
{
    int *error = arg;
    ferry_conn *conn = ferry_dial("localhost:1", 3600 * 1000);
    *error = conn == NULL ? errno : 0;
    ferry_conn_unref(conn);
}

static void cancelled_while_looking_up(void)
{
    struct host host;
    host_bare(&host, 1);
    for (size_t i = 0; i < scale(400); i++) {
        int error = 0;
        ferry_co *co = start(&host, 0, "dialer", dial_until_cancelled, &error);
        if (i % 3 == 0)
            host_settle(&host);
        ferry_cancel(co);
        assert_int_equal(ferry_join(co), 0);
        assert_true(error == ECANCELED || error == ECONNREFUSED);
    }
    host_stop(&host);
}

/* The pool stops meanwhile. */
static void cancelled_by_the_pools_stop(void)
{
    struct host host;
    char deaf[32];
    int listener = peer_listen(deaf, sizeof deaf, 0);
    int in_backlog = peer_connect(deaf);
    struct try try = {deaf, 3600 * 1000, 0};
    host_bare(&host, 1);
    (void)start(&host, 0, "dialer", dial_in_vain, &try);
    wait_parked(&host, "dialer", "ferry_dial");
    host_stop(&host);
    assert_int_equal(try.error, ECANCELED);
    peer_close(listener);
    peer_close(in_backlog);
}

/* Many at once, each its own connection, on two loops. */
static void ask_byte(void *address)
{
    char byte = 'x';
    ferry_conn *conn = ferry_dial(address, 0);
    assert_non_null(conn);
    for (size_t i = 0; i < 10; i++) {
        ferry_send(conn, &byte, 1);
        assert_int_equal(ferry_recv(conn, &byte, 1), 1);
    }
    ferry_close(conn);
    ferry_conn_unref(conn);
}

static void many_at_once(void)
{
    enum { MANY = 100 };
    struct host host;
    ferry_co *cos[MANY];
    host_init(&host, &(ferry_service){.serve = echo});
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    for (unsigned i = 0; i < MANY; i++)
        cos[i] = start(&host, i % 2, NULL, ask_byte, (void *)host.address);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(ferry_join(cos[i]), 0);
    count_wait(&host.watch.closed, MANY);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"eight_mib_and_back", eight_mib_and_back},
    {"half_closed_both_ways", half_closed_both_ways},
    {"what_goes_wrong", what_goes_wrong},
    {"a_service_has_its_say", a_service_has_its_say},
    {"cancelled_while_looking_up", cancelled_while_looking_up},
    {"cancelled_by_the_pools_stop", cancelled_by_the_pools_stop},
    {"many_at_once", many_at_once},
    {NULL, NULL},
};
