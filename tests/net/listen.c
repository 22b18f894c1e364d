/* SPDX-License-Identifier: MIT
 *
 * Listening: addresses, right and wrong; Unix sockets and their files; where the connections go.
 */
#include "case.h"
#include "host.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static const ferry_service echoing = {.on_data = echo};

static void expect_echo(const char *address)
{
    char bytes[5];
    int fd = peer_connect(address);
    peer_write(fd, "hello", 5);
    peer_read(fd, bytes, 5);
    assert_memory_equal(bytes, "hello", 5);
    peer_close(fd);
}

/* A label of 64 letters is no name, so no server is asked for it. */
#define NO_NAME "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.invalid"
#define LONG_HOST NO_NAME NO_NAME NO_NAME NO_NAME
#define LONG_PATH                                                                                                      \
    "unix:/"                                                                                                           \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
    const char *address;
    int error;
} wrong[] = {
    {"", EINVAL},
    {"nonsense", EINVAL},
    {"127.0.0.1", EINVAL},
    {"127.0.0.1:", EINVAL},
    {"127.0.0.1:x", EINVAL},
    {"127.0.0.1:80x", EINVAL},
    {"127.0.0.1:-1", EINVAL},
    {"127.0.0.1: 80", EINVAL},
    {"127.0.0.1:65536", EINVAL},
    {"127.0.0.1:99999999999999999999", EINVAL},
    {"::1:80", EINVAL},
    {"[::1]", EINVAL},
    {"[::1]80", EINVAL},
    {"[::1:80", EINVAL},
    {"[]:80", EINVAL},
    {"[127.0.0.1]:80", EINVAL},
    {"[::1]x:80", EINVAL},
    {"a b:80", EINVAL},
    {"a[b:80", EINVAL},
    {"a]b:80", EINVAL},
    {LONG_HOST ":80", EINVAL},
    {NULL, EINVAL},
    {"unix:", EINVAL},
    {"unix:@", EINVAL},
    {LONG_PATH, EINVAL},
    {NO_NAME ":0", ENOENT},
    {"192.0.2.1:0", EADDRNOTAVAIL},
    {"[2001:db8::1]:0", EADDRNOTAVAIL},
    {"unix:no-such-folder/socket", ENOENT},
    {"unix:.", EADDRINUSE},
};

static void wrong_addresses_are_refused(void)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    int before = case_descriptors();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        case_row("'%s'", wrong[i].address != NULL ? wrong[i].address : "");
        errno = 0;
        assert_null(ferry_listen(pool, wrong[i].address, &echoing));
        assert_int_equal(errno, wrong[i].error);
        assert_int_equal(ferry_address_check(wrong[i].address), errno == EINVAL ? -EINVAL : 0);
        assert_int_equal(case_descriptors(), before);
    }
    ferry_pool_free(pool);
}

static void contradictions_are_refused(void)
{
    static const ferry_service contradictions[] = {
        {.high_water = 1000, .low_water = 1001},
        {.low_water = 2 * 1024 * 1024},
        {.overflow = (ferry_overflow)7},
        {.socket.congestion = "there-is-no-such-algorithm"},
        {.socket.send_buffer = -1},
        {.socket.receive_buffer = -1},
        {.socket.backlog = -1},
    };
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    for (size_t i = 0; i < sizeof contradictions / sizeof contradictions[0]; i++) {
        case_row("contradiction %zu", i);
        errno = 0;
        assert_null(ferry_listen(pool, "127.0.0.1:0", &contradictions[i]));
        assert_true(errno == EINVAL || errno == ENOENT);
    }
    case_row("none");
    errno = 0;
    assert_null(ferry_listen(pool, "127.0.0.1:0", NULL));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(ferry_connect(ferry_pool_loop(pool, 0), "127.0.0.1:1", NULL, NULL), -EINVAL);
    ferry_pool_free(pool);
}

/* Each form of an address, and how a peer reaches it; a port follows, or, for a Unix socket, a
 * name of this process. */
static const struct {
    const char *address, *reach;
} right[] = {
    {"127.0.0.1:", "127.0.0.1:"}, {"[::1]:", "[::1]:"}, {":", "127.0.0.1:"},  {":", "[::1]:"},      {"[::]:", "[::1]:"},
    {"0.0.0.0:", "127.0.0.1:"},   {"unix:", "unix:"},   {"unix:./", "unix:"}, {"unix:@", "unix:@"},
};

static void serve_and_reach(const char *address, const char *reach)
{
    struct host host;
    char text[128];
    char own[128];
    bool local = strncmp(address, "unix:", 5) == 0;
    if (local)
        temp_name(text, sizeof text, address);
    else
        (void)snprintf(text, sizeof text, "%s0", address);
    host_init(&host, &echoing);
    host_run(&host, text, NULL);
    const char *port = strrchr(host.address, ':') + 1;
    if (local) {
        assert_string_equal(host.address, text);
        temp_name(own, sizeof own, reach);
    } else {
        assert_true(strtoul(port, NULL, 10) > 0);
        (void)snprintf(own, sizeof own, "%s%s", reach, port);
    }
    for (size_t k = 0; k < 3; k++)
        expect_echo(own);
    count_wait(&host.watch.closed, 3);
    host_stop(&host);
}

static void each_form_of_address_is_served(void)
{
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        case_row("%s by %s", right[i].address, right[i].reach);
        serve_and_reach(right[i].address, right[i].reach);
    }
}

/* "localhost" may be an IPv4 or an IPv6 address; what the listener says can be reached. */
static void names_are_looked_up(void)
{
    struct host host;
    host_init(&host, &echoing);
    host_run(&host, "localhost:0", NULL);
    expect_echo(host.address);
    host_stop(&host);
}

static void an_address_in_use_is_refused(void)
{
    struct host host;
    host_start(&host, &echoing);
    errno = 0;
    assert_null(ferry_listen(host.pool, host.address, &echoing));
    assert_int_equal(errno, EADDRINUSE);
    expect_echo(host.address);
    host_stop(&host);
}

/* A server that restarts gets its port back though old connections are still known to the kernel. */
static void a_port_can_be_used_again_at_once(void)
{
    char before[64];
    struct host host;
    host_start(&host, &echoing);
    (void)snprintf(before, sizeof before, "%s", host.address);
    int fd = peer_connect(before);
    ferry_close(watch_conn(&host.watch, 0)); /* the server's side closes first, and stays in TIME_WAIT */
    peer_expect_eof(fd);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
    host_init(&host, &echoing);
    host_run(&host, before, NULL);
    expect_echo(before);
    host_stop(&host);
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* The address and the path of a socket file that nobody else uses; there is no such file yet. */
static char address[64];
static const char *const path = address + sizeof "unix:" - 1;

static void choose_path(void)
{
    temp_name(address, sizeof address, "unix:");
    assert_false(exists(path));
}

static void leave_a_stale_socket(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(close(fd), 0);
    assert_true(exists(path));
}

static void a_stale_socket_file_is_replaced(void)
{
    struct host host;
    choose_path();
    leave_a_stale_socket();
    host_init(&host, &echoing);
    host_run(&host, address, NULL);
    expect_echo(host.address);
    errno = 0;
    assert_null(ferry_listen(host.pool, host.address, &echoing)); /* but not a live one */
    assert_int_equal(errno, EADDRINUSE);
    expect_echo(host.address);
    count_wait(&host.watch.closed, 2);
    host_stop(&host);
    assert_false(exists(path));
}

static void other_files_are_left_alone(void)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    choose_path();
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "precious", 8), 8);
    assert_int_equal(close(fd), 0);
    errno = 0;
    assert_null(ferry_listen(pool, address, &echoing));
    assert_int_equal(errno, EADDRINUSE);
    assert_true(exists(path));
    assert_int_equal(unlink(path), 0);
    ferry_pool_free(pool);
}

static void the_socket_file_goes_with_the_listener(void)
{
    struct host host;
    choose_path();
    host_init(&host, &echoing);
    host_run(&host, address, NULL);
    assert_true(exists(path));
    int fd = peer_connect(host.address);
    count_wait(&host.watch.opened, 1);
    ferry_listener_close(host.listener);
    host_settle(&host);
    assert_false(exists(path));
    peer_write(fd, "hello", 5); /* the connection stays */
    char bytes[5];
    peer_read(fd, bytes, 5);
    peer_close(fd);
    host_stop(&host);
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(ferry_listen(pool, address, &echoing));
    assert_true(exists(path));
    ferry_pool_free(pool); /* also when the pool never ran */
    assert_false(exists(path));
}

/* As where a new process takes over from an old one. */
static void a_socket_file_of_another_stays(void)
{
    struct host old, new;
    choose_path();
    host_init(&old, &echoing);
    host_run(&old, address, NULL);
    assert_int_equal(unlink(path), 0);
    host_init(&new, &echoing);
    host_run(&new, address, NULL);
    host_stop(&old);
    expect_echo(new.address);
    count_wait(&new.watch.closed, 1);
    host_stop(&new);
    assert_false(exists(path));
}

static void a_closed_listener_keeps_its_connections(void)
{
    struct host host;
    char bytes[5];
    host_start(&host, &echoing);
    int fd = peer_connect(host.address);
    count_wait(&host.watch.opened, 1);
    ferry_listener_close(host.listener);
    ferry_listener_close(host.listener);
    host_settle(&host);
    int late = peer_socket(host.address, NULL);
    assert_reason(peer_join(late, host.address), -ECONNREFUSED);
    peer_close(late);
    for (size_t i = 0; i < 10; i++) {
        peer_write(fd, "hello", 5);
        peer_read(fd, bytes, 5);
    }
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

struct lister {
    struct host *host;
    pthread_t thread;
};

static void *listen_and_close(void *arg)
{
    struct host *host = ((struct lister *)arg)->host;
    for (size_t i = 0; i < scale(30); i++) {
        ferry_listener *listener = ferry_listen(host->pool, "127.0.0.1:0", &echoing);
        assert_non_null(listener);
        expect_echo(ferry_listener_address(listener));
        if (i % 2 == 0)
            ferry_listener_close(listener);
    }
    return NULL;
}

static void listening_from_any_thread_while_the_pool_runs(void)
{
    struct host host;
    struct lister listers[4];
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 2});
    for (size_t i = 0; i < 4; i++) {
        listers[i].host = &host;
        assert_int_equal(pthread_create(&listers[i].thread, NULL, listen_and_close, &listers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(listers[i].thread, NULL), 0);
    host_stop(&host);
}

static void connections_are_spread_over_the_loops(void)
{
    enum { LOOPS = 4, CONNS = 80 };
    struct host host;
    int fds[CONNS];
    size_t share[LOOPS] = {0};
    host_init(&host, &echoing);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = LOOPS});
    for (size_t i = 0; i < CONNS; i++)
        fds[i] = peer_connect(host.address);
    count_wait(&host.watch.opened, CONNS);
    for (size_t i = 0; i < CONNS; i++)
        for (unsigned k = 0; k < LOOPS; k++)
            share[k] += ferry_conn_loop(watch_conn(&host.watch, i)) == ferry_pool_loop(host.pool, k);
    for (size_t k = 0; k < LOOPS; k++) {
        ferry_loop_counters counters;
        host_counters(&host, (unsigned)k, &counters);
        assert_in_range(share[k], CONNS / LOOPS / 2, CONNS / LOOPS * 2);
        assert_int_equal(counters.conns, share[k]);
    }
    for (size_t i = 0; i < CONNS; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, CONNS);
    host_stop(&host);
}

struct names {
    ferry_conn *conn;
    char peer[64], local[64];
    int peer_len, local_len, too_small;
};

static void ask_names(void *arg)
{
    struct names *names = arg;
    char small[4];
    names->peer_len = ferry_conn_peer(names->conn, names->peer, sizeof names->peer);
    names->local_len = ferry_conn_local(names->conn, names->local, sizeof names->local);
    names->too_small = ferry_conn_peer(names->conn, small, sizeof small);
}

static void both_ends_have_names(void)
{
    struct host host;
    char expected[64];
    host_start(&host, &echoing);
    int fd = peer_connect(host.address);
    struct names names = {.conn = watch_conn(&host.watch, 0)};
    host_call(&host, 0, ask_names, &names);
    (void)snprintf(expected, sizeof expected, "127.0.0.1:%u", peer_port(fd));
    assert_string_equal(names.peer, expected);
    assert_int_equal(names.peer_len, strlen(expected));
    assert_string_equal(names.local, host.address);
    assert_int_equal(names.local_len, strlen(host.address));
    assert_reason(names.too_small, -ENOSPC);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_call(&host, 0, ask_names, &names);
    assert_reason(names.peer_len, -ENOTCONN);
    assert_reason(names.local_len, -ENOTCONN);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"wrong_addresses_are_refused", wrong_addresses_are_refused},
    {"contradictions_are_refused", contradictions_are_refused},
    {"each_form_of_address_is_served", each_form_of_address_is_served},
    {"names_are_looked_up", names_are_looked_up},
    {"an_address_in_use_is_refused", an_address_in_use_is_refused},
    {"a_port_can_be_used_again_at_once", a_port_can_be_used_again_at_once},
    {"a_stale_socket_file_is_replaced", a_stale_socket_file_is_replaced},
    {"other_files_are_left_alone", other_files_are_left_alone},
    {"the_socket_file_goes_with_the_listener", the_socket_file_goes_with_the_listener},
    {"a_socket_file_of_another_stays", a_socket_file_of_another_stays},
    {"a_closed_listener_keeps_its_connections", a_closed_listener_keeps_its_connections},
    {"listening_from_any_thread_while_the_pool_runs", listening_from_any_thread_while_the_pool_runs},
    {"connections_are_spread_over_the_loops", connections_are_spread_over_the_loops},
    {"both_ends_have_names", both_ends_have_names},
    {NULL, NULL},
};
