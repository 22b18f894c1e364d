/* SPDX-License-Identifier: MIT
 *
 * Blocking plain sockets. SO_RCVTIMEO and SO_SNDTIMEO are the fail-safe: a call that runs into them fails its case.
 */
#include "peer.h"

#include "case.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024 };

struct place {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } name;
    socklen_t len;
};

static struct place local_place(const char *path)
{
    struct place place = {.name.local.sun_family = AF_UNIX};
    size_t len = strlen(path);
    assert_true(len < sizeof place.name.local.sun_path);
    memcpy(place.name.local.sun_path, path, len);
    place.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    if (path[0] == '@') {
        place.name.local.sun_path[0] = '\0';
        place.len--;
    }
    return place;
}

static struct place internet_place(const char *address)
{
    struct place place = {.len = 0};
    const char *colon = strrchr(address, ':');
    assert_non_null(colon);
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    char host[64];
    bool six = address[0] == '[';
    (void)snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * six, address + six);
    if (six) {
        place.name.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        place.len = sizeof place.name.v6;
        assert_int_equal(inet_pton(AF_INET6, host, &place.name.v6.sin6_addr), 1);
    } else {
        place.name.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        place.len = sizeof place.name.v4;
        assert_int_equal(inet_pton(AF_INET, host, &place.name.v4.sin_addr), 1);
    }
    return place;
}

static struct place place_of(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? local_place(address + 5) : internet_place(address);
}

static void set_option(int fd, int level, int name, int value)
{
    if (setsockopt(fd, level, name, &value, sizeof value) != 0)
        fail_msg("setsockopt(%d, %d): %s", level, name, strerror(errno));
}

static void set_patience(int fd)
{
    struct timeval limit = {.tv_sec = case_patience_ms() / 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
}

static void bind_from(int fd, const char *from)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, from, &name.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
}

int peer_socket(const char *address, const struct peer_options *options)
{
    struct place place = place_of(address);
    int fd = socket(place.name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    set_patience(fd);
    if (place.name.any.sa_family != AF_UNIX)
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options != NULL && options->receive_buffer != 0)
        set_option(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
    if (options != NULL && options->send_buffer != 0)
        set_option(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
    if (options != NULL && options->from != NULL)
        bind_from(fd, options->from);
    return fd;
}

int peer_join(int fd, const char *address)
{
    struct place place = place_of(address);
    return connect(fd, &place.name.any, place.len) == 0 ? 0 : -errno;
}

int peer_connect_with(const char *address, const struct peer_options *options)
{
    int fd = peer_socket(address, options);
    int result = peer_join(fd, address);
    if (result != 0)
        fail_msg("cannot connect to %s: %s", address, strerror(-result));
    return fd;
}

int peer_connect(const char *address)
{
    return peer_connect_with(address, NULL);
}

int peer_listen(char *address, size_t cap, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    set_patience(fd);
    bind_from(fd, "127.0.0.1");
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    (void)snprintf(address, cap, "127.0.0.1:%u", peer_port(fd));
    return fd;
}

int peer_accept(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        fail_msg("accept: %s", strerror(errno));
    set_patience(fd);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return fd;
}

unsigned peer_port(int fd)
{
    struct place place = {.len = sizeof place.name};
    assert_int_equal(getsockname(fd, &place.name.any, &place.len), 0);
    return ntohs(place.name.any.sa_family == AF_INET6 ? place.name.v6.sin6_port : place.name.v4.sin_port);
}

int peer_other_end(unsigned port)
{
    for (int fd = 0; fd < 1024; fd++) {
        struct place place = {.len = sizeof place.name};
        if (getpeername(fd, &place.name.any, &place.len) != 0)
            continue;
        sa_family_t family = place.name.any.sa_family;
        in_port_t other = family == AF_INET ? place.name.v4.sin_port : family == AF_INET6 ? place.name.v6.sin6_port : 0;
        if (other == htons((uint16_t)port))
            return fd;
    }
    return -1;
}

void peer_write(int fd, const void *data, size_t len)
{
    const char *from = data;
    while (len > 0) {
        ssize_t put = TEMP_FAILURE_RETRY(send(fd, from, len, MSG_NOSIGNAL));
        if (put <= 0)
            fail_msg("peer: %zu bytes could not be written: %s", len, strerror(errno));
        from += put;
        len -= (size_t)put;
    }
}

void peer_write_pieces(int fd, struct pattern *pattern, size_t len, size_t most)
{
    char buffer[BUFFER];
    uint64_t series = pattern->seed;
    assert_true(most <= sizeof buffer);
    while (len > 0) {
        size_t piece = 1 + random_below(&series, most < len ? most : len);
        pattern_fill(pattern, buffer, piece);
        peer_write(fd, buffer, piece);
        len -= piece;
    }
}

void peer_write_pattern(int fd, struct pattern *pattern, size_t len)
{
    char buffer[BUFFER];
    while (len > 0) {
        size_t piece = len < sizeof buffer ? len : sizeof buffer;
        pattern_fill(pattern, buffer, piece);
        peer_write(fd, buffer, piece);
        len -= piece;
    }
}

static void fail_reading(ssize_t got, uint64_t missing)
{
    fail_msg("peer: %ju more bytes were to come: %s", (uintmax_t)missing, got == 0 ? "end of file" : strerror(errno));
}

void peer_read(int fd, void *data, size_t len)
{
    char *to = data;
    while (len > 0) {
        ssize_t got = TEMP_FAILURE_RETRY(recv(fd, to, len, 0));
        if (got <= 0)
            fail_reading(got, len);
        to += got;
        len -= (size_t)got;
    }
}

void peer_read_pattern(int fd, struct pattern *pattern, uint64_t len)
{
    char buffer[BUFFER];
    while (len > 0) {
        ssize_t got = TEMP_FAILURE_RETRY(recv(fd, buffer, len < sizeof buffer ? (size_t)len : sizeof buffer, 0));
        if (got <= 0)
            fail_reading(got, len);
        pattern_check(pattern, buffer, (size_t)got);
        len -= (uint64_t)got;
    }
}

int peer_read_to_end(int fd, struct pattern *pattern, uint64_t *total)
{
    char buffer[BUFFER];
    uint64_t sum = 0;
    ssize_t got;
    while ((got = TEMP_FAILURE_RETRY(recv(fd, buffer, sizeof buffer, 0))) > 0) {
        if (pattern != NULL)
            pattern_check(pattern, buffer, (size_t)got);
        sum += (uint64_t)got;
    }
    int end = got == 0 ? 0 : errno;
    if (end == EAGAIN)
        fail_msg("peer: no end after %ju bytes", (uintmax_t)sum);
    if (total != NULL)
        *total = sum;
    return end;
}

void peer_expect_eof(int fd)
{
    char byte;
    ssize_t got = TEMP_FAILURE_RETRY(recv(fd, &byte, 1, 0));
    if (got != 0)
        fail_msg("peer: expected the end of file, got %s", got > 0 ? "a byte" : strerror(errno));
}

bool peer_readable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    return poll(&poller, 1, 0) == 1;
}

void peer_half_close(int fd)
{
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
}

void peer_close(int fd)
{
    assert_int_equal(close(fd), 0);
}

void peer_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    peer_close(fd);
}
