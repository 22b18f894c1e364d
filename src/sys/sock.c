/* SPDX-License-Identifier: MIT
 *
 * sys: sockets made ready.
 */
#include "sys/sock.h"

#include "sys/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/un.h>

enum { ADDRESSES = 16, PROBE_INTERVAL_S = 10, PROBES = 3 };

static int set_int(int fd, int level, int option, int value)
{
    return fy_sys_set(fd, level, option, &value, sizeof value);
}

static void set_buffers(int fd, const ferry_socket_options *o)
{
    if (o->send_buffer)
        set_int(fd, SOL_SOCKET, SO_SNDBUF, o->send_buffer);
    if (o->receive_buffer)
        set_int(fd, SOL_SOCKET, SO_RCVBUF, o->receive_buffer);
}

static void set_keepalive(int fd, const ferry_socket_options *o)
{
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)o->keepalive_s);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepalive_interval_s ? (int)o->keepalive_interval_s : PROBE_INTERVAL_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepalive_count ? (int)o->keepalive_count : PROBES);
}

/* What a connection inherits from its listener (all of these, on Linux) is set there once, and costs nothing a
 * connection; tcp(7), socket(7). */
void fy_sock_options(int fd, const ferry_socket_options *o)
{
    set_buffers(fd, o);
    if (!o->nagle)
        set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (o->keepalive_s)
        set_keepalive(fd, o);
    if (o->user_timeout_ms)
        set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)o->user_timeout_ms);
    if (o->congestion)
        fy_sys_set(fd, IPPROTO_TCP, TCP_CONGESTION, o->congestion, (socklen_t)strlen(o->congestion));
}

int fy_sock_check(const ferry_socket_options *o)
{
    if (o->send_buffer < 0 || o->receive_buffer < 0 || o->backlog < 0)
        return -EINVAL;
    if (!o->congestion)
        return 0;
    int fd = fy_sys_socket(AF_INET);
    if (fd < 0)
        return fd == -EAFNOSUPPORT ? 0 : fd;
    int error = fy_sys_set(fd, IPPROTO_TCP, TCP_CONGESTION, o->congestion, (socklen_t)strlen(o->congestion));
    fy_sys_close(fd);
    return error < 0 ? -EINVAL : 0;
}

/* A socket file is stale when nobody answers at it; connecting to another kind of file is refused, too, but it stays. */
static void remove_stale(const struct fy_sockaddr *at)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&at->storage;
    if (un->sun_path[0] == '\0')
        return;
    int fd = fy_sys_socket(AF_UNIX);
    if (fd < 0)
        return;
    if (fy_sys_connect(fd, (const struct sockaddr *)&at->storage, at->len) == -ECONNREFUSED)
        fy_sys_unlink_socket(un->sun_path);
    fy_sys_close(fd);
}

static int listen_at(const struct fy_sockaddr *at, const ferry_socket_options *o)
{
    int family = at->storage.ss_family;
    int fd = fy_sys_socket(family);
    if (fd < 0)
        return fd;
    if (family == AF_UNIX) {
        remove_stale(at);
        set_buffers(fd, o);
    } else {
        set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
        fy_sock_options(fd, o);
    }
    if (family == AF_INET6) /* "::" takes IPv4 as well, whatever the system's default */
        set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                !IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&at->storage)->sin6_addr));
    int error = fy_sys_bind(fd, (const struct sockaddr *)&at->storage, at->len);
    if (error == 0)
        error = fy_sys_listen(fd, o->backlog ? o->backlog : SOMAXCONN);
    if (error == 0)
        return fd;
    fy_sys_close(fd);
    return error;
}

int fy_sock_listen(const struct fy_addr *addr, const ferry_socket_options *options)
{
    struct fy_sockaddr at[ADDRESSES];
    int n = fy_addr_resolve(addr, true, at, ADDRESSES);
    if (n < 0)
        return n;
    int fd = -ENOENT;
    for (int i = 0; i < n && fd < 0; i++)
        fd = listen_at(&at[i], options);
    if (fd == -EAFNOSUPPORT && addr->host[0] == '\0') { /* a machine without IPv6 */
        struct fy_addr four = *addr;
        memcpy(four.host, "0.0.0.0", sizeof "0.0.0.0");
        return fy_sock_listen(&four, options);
    }
    return fd;
}

int fy_sock_connect(const struct fy_sockaddr *to, const ferry_socket_options *options)
{
    int fd = fy_sys_socket(to->storage.ss_family);
    if (fd < 0)
        return fd;
    if (to->storage.ss_family == AF_UNIX)
        set_buffers(fd, options);
    else
        fy_sock_options(fd, options);
    int error = fy_sys_connect(fd, (const struct sockaddr *)&to->storage, to->len);
    if (error == 0 || error == -EINPROGRESS)
        return fd;
    fy_sys_close(fd);
    return error == -EAGAIN ? -ECONNREFUSED : error; /* a Unix socket's backlog is full: nobody accepts */
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    switch (a->ss_family) {
    case AF_INET:
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    case AF_INET6:
        return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)a)->sin6_addr,
                                  &((const struct sockaddr_in6 *)b)->sin6_addr);
    default:
        return true;
    }
}

/* False: the kernel does not say. */
static bool ends_of(int fd, struct sockaddr_storage *here, struct sockaddr_storage *there)
{
    socklen_t here_len = sizeof *here, there_len = sizeof *there;
    return fy_sys_local(fd, here, &here_len) == 0 && fy_sys_peer(fd, there, &there_len) == 0;
}

bool fy_sock_is_local(int fd)
{
    struct sockaddr_storage here = {0}, there = {0};
    return !ends_of(fd, &here, &there) || same_host(&here, &there);
}

/* A sockaddr_in6 has it in the same place. */
static in_port_t port_of(const struct sockaddr_storage *address)
{
    return ((const struct sockaddr_in *)address)->sin_port;
}

bool fy_sock_is_itself(int fd)
{
    struct sockaddr_storage here = {0}, there = {0};
    return ends_of(fd, &here, &there) && here.ss_family != AF_UNIX && same_host(&here, &there) &&
           port_of(&here) == port_of(&there);
}
