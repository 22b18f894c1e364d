/* SPDX-License-Identifier: MIT
 *
 * The options of a connection's socket, as the kernel has them: the case looks at ferry's descriptor, which is one of this
 * process.
 */
#include "case.h"
#include "host.h"
#include "peer.h"
#include "temp.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void check_defaults(int fd)
{
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

static void check_all(int fd)
{
    char congestion[16] = "";
    socklen_t len = sizeof congestion;
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 100);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 20);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 7000);
    assert_int_equal(option(fd, SOL_SOCKET, SO_SNDBUF), 2 * 20000); /* socket(7): the kernel doubles it */
    assert_int_equal(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * 30000);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, &len), 0);
    assert_string_equal(congestion, "reno");
}

static void check_keepalive(int fd)
{
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
}

static const struct {
    const char *name;
    ferry_socket_options options;
    void (*check)(int fd);
} rows[] = {
    {"defaults", {.nagle = false}, check_defaults},
    {"keepalive alone", {.keepalive_s = 60}, check_keepalive},
    {"all",
     {.nagle = true,
      .keepalive_s = 100,
      .keepalive_interval_s = 20,
      .keepalive_count = 5,
      .user_timeout_ms = 7000,
      .send_buffer = 20000,
      .receive_buffer = 30000,
      .congestion = "reno"},
     check_all},
};

static void check_flags(int fd)
{
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void accepted_connections(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host host;
        case_row("%s", rows[i].name);
        host_start(&host, &(ferry_service){.socket = rows[i].options});
        int fd = peer_connect(host.address);
        (void)watch_conn(&host.watch, 0);
        int own = peer_other_end(peer_port(fd));
        check_flags(own);
        rows[i].check(own);
        peer_close(fd);
        count_wait(&host.watch.closed, 1);
        host_stop(&host);
    }
}

static void dialed_connections(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host dialer;
        char address[64];
        case_row("%s", rows[i].name);
        int listener = peer_listen(address, sizeof address, 1);
        host_init(&dialer, &(ferry_service){.socket = rows[i].options});
        host_run(&dialer, NULL, NULL);
        assert_int_equal(ferry_connect(ferry_pool_loop(dialer.pool, 0), address, &dialer.watch.service, NULL), 0);
        int fd = peer_accept(listener);
        (void)watch_conn(&dialer.watch, 0);
        int own = peer_other_end(peer_port(listener));
        check_flags(own);
        rows[i].check(own);
        peer_close(fd);
        count_wait(&dialer.watch.closed, 1);
        host_stop(&dialer);
        peer_close(listener);
    }
}

/* Options of TCP are no reason to refuse a Unix socket. */
static void unix_sockets_do_without(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct host host;
        char address[64];
        case_row("%s", rows[i].name);
        temp_name(address, sizeof address, "unix:@");
        host_init(&host, &(ferry_service){.socket = rows[i].options});
        host_run(&host, address, NULL);
        int fd = peer_connect(host.address);
        (void)watch_conn(&host.watch, 0);
        peer_close(fd);
        count_wait(&host.watch.closed, 1);
        host_stop(&host);
    }
}

const struct test_case test_cases[] = {
    {"accepted_connections", accepted_connections},
    {"dialed_connections", dialed_connections},
    {"unix_sockets_do_without", unix_sockets_do_without},
    {NULL, NULL},
};
