/* SPDX-License-Identifier: MIT
 *
 * ferry_connect(): success, patience, and failures that are told by on_close alone.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const ferry_service plain = {.high_water = 0};

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static const ferry_service echoing = {.on_data = echo};

/* A host that only dials. */
static void start_dialer(struct host *dialer, const ferry_service *service, unsigned threads)
{
    host_init(dialer, service);
    dialer->watch.dials = true;
    host_run(dialer, NULL, &(ferry_pool_options){.threads = threads});
}

static int dial(struct host *dialer, const char *address, const ferry_connect_options *options)
{
    return ferry_connect(ferry_pool_loop(dialer->pool, 0), address, &dialer->watch.service, options);
}

/* The reason of the failure; on_open must not have been called. */
static int failure(struct host *dialer)
{
    count_wait(&dialer->watch.failed, 1);
    assert_int_equal(count_get(&dialer->watch.opened), 0);
    assert_int_equal(count_get(&dialer->watch.failed), 1);
    return dialer->watch.last_reason;
}

static void greet(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_send(conn, "hello", 5);
}

static size_t part(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    if (len < 5)
        return 0;
    assert_int_equal(len, 5);
    assert_memory_equal(data, "hello", 5);
    ferry_close(conn);
    return len;
}

static const ferry_service greeting = {.on_open = greet, .on_data = part};

/* What ends in a colon is followed by a port; a Unix socket's address by a name of this process. */
static const struct {
    const char *listen, *reach;
} forms[] = {
    {"127.0.0.1:", "127.0.0.1:"}, {"[::1]:", "[::1]:"}, {":", "127.0.0.1:"},          {":", "[::1]:"},
    {":", "localhost:"},          {":", ":"},           {"127.0.0.1:", "localhost:"}, /* whichever of its addresses comes first */
    {"unix:", "unix:"},           {"unix:@", "unix:@"},
};

static void reach(const char *listen, const char *address)
{
    struct host host;
    struct host dialer;
    char text[128];
    bool local = strncmp(listen, "unix:", 5) == 0;
    if (local)
        temp_name(text, sizeof text, listen);
    else
        (void)snprintf(text, sizeof text, "%s0", listen);
    host_init(&host, &echoing);
    host_run(&host, text, NULL);
    if (!local)
        (void)snprintf(text, sizeof text, "%s%s", address, strrchr(host.address, ':') + 1);
    start_dialer(&dialer, &greeting, 1);
    assert_int_equal(dial(&dialer, text, NULL), 0);
    assert_reason(watch_reason(&dialer.watch, 0, NULL), 0);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&dialer);
    host_stop(&host);
}

static void each_form_of_address_is_reached(void)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        case_row("%s by %s", forms[i].listen, forms[i].reach);
        reach(forms[i].listen, forms[i].reach);
    }
}

static void many_at_once(void)
{
    enum { CONNS = 200 };
    struct host host;
    struct host dialer;
    host_init(&host, &echoing);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    start_dialer(&dialer, &greeting, 2);
    for (unsigned i = 0; i < CONNS; i++) {
        ferry_loop *loop = ferry_pool_loop(dialer.pool, i % 2);
        assert_int_equal(ferry_connect(loop, host.address, &dialer.watch.service, NULL), 0);
    }
    count_wait(&dialer.watch.closed, CONNS);
    for (size_t i = 0; i < CONNS; i++)
        assert_reason(ferry_conn_error(watch_conn(&dialer.watch, i)), 0);
    host_stop(&dialer);
    host_stop(&host);
}

static void on_the_loop_that_was_asked(void)
{
    struct host host;
    struct host dialer;
    host_start(&host, &plain);
    start_dialer(&dialer, &plain, 3);
    for (unsigned i = 0; i < 3; i++) {
        ferry_loop *loop = ferry_pool_loop(dialer.pool, i);
        assert_int_equal(ferry_connect(loop, host.address, &dialer.watch.service, NULL), 0);
        assert_ptr_equal(ferry_conn_loop(watch_conn(&dialer.watch, i)), loop);
        ferry_close(watch_conn(&dialer.watch, i));
    }
    count_wait(&dialer.watch.closed, 3);
    host_stop(&dialer);
    host_stop(&host);
}

static void bad_addresses_are_refused_at_once(void)
{
    static const char *const addresses[] = {"", "nonsense", "127.0.0.1", "127.0.0.1:99999", "::1:80", "[::1]", "unix:"};
    struct host dialer;
    start_dialer(&dialer, &plain, 1);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        case_row("'%s'", addresses[i]);
        assert_reason(dial(&dialer, addresses[i], NULL), -EINVAL);
    }
    host_settle(&dialer);
    assert_int_equal(count_get(&dialer.watch.failed), 0);
    host_stop(&dialer);
}

static void refused_until_attempts_are_used_up(void)
{
    struct host dialer;
    char address[64];
    static const ferry_connect_options options = {.attempts = 4, .backoff_ms = 40, .backoff_max_ms = 80};
    int closed = peer_listen(address, sizeof address, -1);
    start_dialer(&dialer, &plain, 1);
    uint64_t begin = now_ns();
    assert_int_equal(dial(&dialer, address, &options), 0);
    assert_reason(failure(&dialer), -ECONNREFUSED);
    /* It waits at least half of 40, 80 and 80 ms. */
    assert_true(now_ns() - begin >= (20 + 40 + 40) * 1000000ULL);
    host_stop(&dialer);
    peer_close(closed);
}

static void refused_until_the_server_appears(void)
{
    struct host dialer;
    char address[64];
    static const ferry_connect_options options = {.attempts = 1000, .backoff_ms = 5, .backoff_max_ms = 20};
    char bytes[5];
    int late = peer_listen(address, sizeof address, -1);
    start_dialer(&dialer, &greeting, 1);
    assert_int_equal(dial(&dialer, address, &options), 0);
    sleep_ms(60); /* some attempts fail meanwhile; whether they do changes nothing in what must follow */
    assert_int_equal(count_get(&dialer.watch.opened), 0);
    assert_int_equal(listen(late, 10), 0);
    int fd = peer_accept(late);
    peer_read(fd, bytes, 5);
    assert_memory_equal(bytes, "hello", 5);
    peer_close(fd);
    assert_reason(watch_reason(&dialer.watch, 0, NULL), 0);
    assert_int_equal(count_get(&dialer.watch.failed), 0);
    host_stop(&dialer);
    peer_close(late);
}

/* A label of 64 letters is no name: that is known without asking anybody. */
static void a_name_without_address(void)
{
    struct host dialer;
    start_dialer(&dialer, &plain, 1);
    assert_int_equal(dial(&dialer, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid:80",
                          &(ferry_connect_options){.attempts = 2, .backoff_ms = 1}),
                     0);
    assert_reason(failure(&dialer), -ENOENT);
    host_stop(&dialer);
}

static void a_socket_file_that_is_not_there(void)
{
    struct host dialer;
    start_dialer(&dialer, &plain, 1);
    assert_int_equal(dial(&dialer, "unix:ferry-test-nobody", &(ferry_connect_options){.attempts = 1}), 0);
    assert_reason(failure(&dialer), -ENOENT);
    host_stop(&dialer);
}

/* A listener whose queue is full does not answer: each attempt times out. */
static void attempts_time_out(void)
{
    enum { FULL = 4 };
    struct host dialer;
    char address[64];
    int fillers[FULL];
    static const ferry_connect_options options = {.timeout_ms = 60, .attempts = 2, .backoff_ms = 10};
    int full = peer_listen(address, sizeof address, 0);
    for (size_t i = 0; i < FULL; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fillers[i] >= 0);
        (void)peer_join(fillers[i], address);
    }
    start_dialer(&dialer, &plain, 1);
    uint64_t begin = now_ns();
    assert_int_equal(dial(&dialer, address, &options), 0);
    assert_reason(failure(&dialer), -ETIMEDOUT);
    assert_true(now_ns() - begin >= (60 + 5 + 60) * 1000000ULL);
    host_stop(&dialer);
    for (size_t i = 0; i < FULL; i++)
        peer_close(fillers[i]);
    peer_close(full);
}

/* Stopping does not wait for attempts to come. */
static void stopped_while_it_waits(void)
{
    struct host dialer;
    char address[64];
    int closed = peer_listen(address, sizeof address, -1);
    start_dialer(&dialer, &plain, 1);
    assert_int_equal(dial(&dialer, address, &(ferry_connect_options){.attempts = 100, .backoff_ms = 3600 * 1000}), 0);
    host_settle(&dialer);
    ferry_pool_stop(dialer.pool);
    assert_reason(failure(&dialer), -ECANCELED);
    host_stop(&dialer);
    peer_close(closed);
}

static void freed_before_it_ran(void)
{
    struct host dialer;
    host_init(&dialer, &plain);
    dialer.watch.dials = true;
    dialer.pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(dialer.pool);
    for (unsigned i = 0; i < 6; i++) {
        ferry_loop *loop = ferry_pool_loop(dialer.pool, i % 2);
        assert_int_equal(ferry_connect(loop, i % 3 == 0 ? "localhost:1" : "127.0.0.1:1", &dialer.watch.service, NULL),
                         0);
    }
    ferry_pool_free(dialer.pool);
    assert_int_equal(count_get(&dialer.watch.failed), 6);
    watch_fini(&dialer.watch);
}

static void reconnect(ferry_conn *conn, int reason, void *arg)
{
    struct host *dialer = arg;
    (void)reason;
    if (count_get(&dialer->watch.opened) < 20)
        assert_int_equal(ferry_connect(ferry_conn_loop(conn), dialer->address, &dialer->watch.service, NULL), 0);
}

/* A client that connects again from on_close. */
static void again_from_on_close(void)
{
    static struct host dialer;
    const ferry_service service = {.arg = &dialer, .on_open = greet, .on_data = part, .on_close = reconnect};
    struct host host;
    host_start(&host, &echoing);
    start_dialer(&dialer, &service, 1);
    dialer.address = host.address;
    assert_int_equal(dial(&dialer, host.address, NULL), 0);
    count_wait(&dialer.watch.closed, 20);
    host_stop(&dialer);
    host_stop(&host);
}

/* The kernel gives out ports by chance; here it is made to give out the one that is connected to. */
static bool meets_itself;

int __real_fy_sys_connect(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_fy_sys_connect(int fd, const struct sockaddr *address, socklen_t len);

int __wrap_fy_sys_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (meets_itself)
        assert_int_equal(bind(fd, address, len), 0);
    return __real_fy_sys_connect(fd, address, len);
}

/* And its server can have the port at once. */
static void nobody_is_connected_to_himself(void)
{
    static const char *const addresses[] = {"127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct host host;
        struct host dialer;
        char address[64];
        case_row("%s", addresses[i]);
        (void)snprintf(address, sizeof address, "%s:0", addresses[i]);
        host_init(&host, &plain);
        host_run(&host, address, NULL);
        (void)snprintf(address, sizeof address, "%s", host.address);
        host_stop(&host);
        start_dialer(&dialer, &plain, 1);
        meets_itself = true;
        assert_int_equal(dial(&dialer, address, &(ferry_connect_options){.attempts = 2, .backoff_ms = 1}), 0);
        assert_reason(failure(&dialer), -ECONNREFUSED);
        meets_itself = false;
        host_stop(&dialer);
    }
}

const struct test_case test_cases[] = {
    {"each_form_of_address_is_reached", each_form_of_address_is_reached},
    {"many_at_once", many_at_once},
    {"on_the_loop_that_was_asked", on_the_loop_that_was_asked},
    {"bad_addresses_are_refused_at_once", bad_addresses_are_refused_at_once},
    {"refused_until_attempts_are_used_up", refused_until_attempts_are_used_up},
    {"refused_until_the_server_appears", refused_until_the_server_appears},
    {"a_name_without_address", a_name_without_address},
    {"a_socket_file_that_is_not_there", a_socket_file_that_is_not_there},
    {"attempts_time_out", attempts_time_out},
    {"stopped_while_it_waits", stopped_while_it_waits},
    {"freed_before_it_ran", freed_before_it_ran},
    {"again_from_on_close", again_from_on_close},
    {"nobody_is_connected_to_himself", nobody_is_connected_to_himself},
    {NULL, NULL},
};
