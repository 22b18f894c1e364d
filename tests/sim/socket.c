/* SPDX-License-Identifier: MIT
 *
 * The kernel's sockets.
 */
#include "kernel.h"

#include "sys/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct sim_end *end_of(int fd)
{
    return sim_fd_of(fd, FD_SOCKET)->end;
}

ssize_t fy_sys_recv(int fd, void *buf, size_t cap)
{
    sim_step("recv", (uint64_t)fd, cap);
    ssize_t n = sim_end_recv(end_of(fd), buf, cap);
    sim_step("recv says", (uint64_t)fd, (uint64_t)n);
    return n;
}

static ssize_t send_parts(struct sim_end *end, const struct iovec *iov, int count)
{
    static char bytes[128 * 1024]; /* more than any buffer has room for */
    size_t len = 0;
    for (int i = 0; i < count && len < sizeof bytes; i++) {
        size_t part = iov[i].iov_len < sizeof bytes - len ? iov[i].iov_len : sizeof bytes - len;
        memcpy(bytes + len, iov[i].iov_base, part);
        len += part;
    }
    return sim_end_send(end, bytes, len);
}

ssize_t fy_sys_send(int fd, const struct iovec *iov, int count, bool more)
{
    sim_step("send", (uint64_t)fd, (uint64_t)count * 2 + more);
    ssize_t n = send_parts(end_of(fd), iov, count);
    sim_step("send says", (uint64_t)fd, (uint64_t)n);
    return n;
}

ssize_t fy_sys_sendfile(int fd, int file, uint64_t offset, size_t len)
{
    sim_step("sendfile", (uint64_t)fd, len);
    const struct descriptor *f = sim_fd_of(file, FD_FILE);
    size_t left = offset < f->cut ? f->cut - (size_t)offset : 0;
    if (left < len && f->cut < f->len)
        sim_reached(SIM_FILE_SHORT);
    ssize_t n = left > 0 ? sim_end_send(end_of(fd), f->bytes + offset, left < len ? left : len) : 0;
    sim_step("sendfile says", (uint64_t)fd, (uint64_t)n);
    return n;
}

int fy_sys_socket(int family)
{
    sim_step("socket", (uint64_t)family, 0);
    if (sim_one_in(sim_weather.no_accept))
        return -EMFILE;
    return sim_fd_new(FD_SOCKET);
}

int fy_sys_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    sim_fd(fd)->port = ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    return 0;
}

int fy_sys_listen(int fd, int backlog)
{
    (void)backlog;
    sim_fd(fd)->kind = FD_LISTENER;
    return 0;
}

bool fy_sys_accept_passes(int error)
{
    return error == -ECONNABORTED;
}

int fy_sys_accept(int fd)
{
    sim_step("accept", (uint64_t)fd, 0);
    struct descriptor *d = sim_fd_of(fd, FD_LISTENER);
    if (d->arrivals == 0)
        return -EAGAIN;
    if (sim_one_in(sim_weather.no_accept)) {
        sim_reached(SIM_ACCEPT_REFUSED);
        return -EMFILE;
    }
    int conn = sim_fd_new(FD_SOCKET);
    sim_fd_of(conn, FD_SOCKET)->end = d->arrived[0];
    sim_end_accept(d->arrived[0], conn);
    memmove(d->arrived, d->arrived + 1, --d->arrivals * sizeof d->arrived[0]);
    sim_step("accept says", (uint64_t)conn, 0);
    return conn;
}

int fy_sys_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    (void)len;
    sim_step("connect", (uint64_t)fd, 0);
    sim_fd_of(fd, FD_SOCKET)->end = sim_end_new(fd);
    sim_end_connect(end_of(fd), ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port));
    return -EINPROGRESS;
}

int fy_sys_shutdown_write(int fd)
{
    sim_step("shutdown", (uint64_t)fd, 0);
    int error = sim_end_shutdown(end_of(fd));
    sim_step("shutdown says", (uint64_t)fd, (uint64_t)error);
    return error;
}

int fy_sys_reset_on_close(int fd)
{
    sim_fd_of(fd, FD_SOCKET)->reset_on_close = true;
    return 0;
}

int fy_sys_take_error(int fd)
{
    sim_step("take_error", (uint64_t)fd, 0);
    return sim_end_take_error(end_of(fd));
}

int fy_sys_unacked(int fd)
{
    sim_step("unacked", (uint64_t)fd, 0);
    return sim_end_unacked(end_of(fd));
}

static int name_of(int fd, bool peer, struct sockaddr_storage *address, socklen_t *len)
{
    const struct descriptor *d = sim_fd(fd);
    unsigned port = d->kind == FD_SOCKET ? sim_end_port(d->end, peer) : d->port;
    const struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(address, &in, sizeof in);
    *len = sizeof in;
    return 0;
}

int fy_sys_local(int fd, struct sockaddr_storage *address, socklen_t *len)
{
    return name_of(fd, false, address, len);
}

int fy_sys_peer(int fd, struct sockaddr_storage *address, socklen_t *len)
{
    return name_of(fd, true, address, len);
}

int fy_sys_cork(int fd, bool on)
{
    sim_step("cork", (uint64_t)fd, on);
    return 0;
}

int fy_sys_set(int fd, int level, int option, const void *value, socklen_t len)
{
    (void)level;
    (void)option;
    (void)value;
    (void)len;
    sim_fd(fd);
    return 0;
}
