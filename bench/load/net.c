/* SPDX-License-Identifier: MIT
 *
 * load: sockets, and the window in which a load is measured.
 */
#include "bench.h"
#include "load.h"

#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OPEN_AT_ONCE = 2000, /* below any server's backlog */
    ROUNDS = 5,
};

static char sink[LOAD_SINK];

int load_connect(const load *l)
{
    static const int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        bench_die("load: socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die("load: connect");
    return fd;
}

void load_open(load *l, void (*ready)(load *l, long count))
{
    for (long i = 0; i < l->conns; i++) {
        l->fds[i] = load_connect(l);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->fds[i], &event) != 0)
            bench_die("load: epoll_ctl");
        if ((i + 1) % OPEN_AT_ONCE == 0 || i + 1 == l->conns)
            ready(l, i + 1);
    }
}

/* By resets, which leave nothing behind in the kernel that the next server would be slowed down by. */
void load_close(load *l)
{
    static const struct linger now = {.l_onoff = 1, .l_linger = 0};
    for (long i = 0; i < l->conns; i++) {
        setsockopt(l->fds[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(l->fds[i]);
    }
    load_settle(l);
}

void load_send(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0)
            bench_die("load: send");
        at += sent;
        len -= (size_t)sent;
    }
}

size_t load_recv(int fd, void *buf, size_t cap)
{
    ssize_t got = recv(fd, buf, cap, 0);
    if (got < 0)
        bench_die("load: recv");
    if (got == 0)
        errx(1, "load: the server has closed a connection");
    return (size_t)got;
}

void load_recv_all(int fd, size_t len)
{
    while (len > 0)
        len -= load_recv(fd, sink, len < sizeof sink ? len : sizeof sink);
}

size_t load_discard(int fd)
{
    ssize_t got = recv(fd, sink, sizeof sink, MSG_TRUNC);
    if (got < 0)
        bench_die("load: recv");
    return (size_t)got;
}

void load_exchange(load *l, long count)
{
    int fd = l->fds[count - 1];
    load_send(fd, sink, (size_t)l->size);
    load_recv_all(fd, (size_t)l->size);
}

double load_cpu(const load *l)
{
    struct timespec t;
    if (clock_gettime(l->clock, &t) != 0)
        bench_die("load: the CPU clock of the server");
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void load_settle(const load *l)
{
    double before = -1, now = load_cpu(l);
    for (int i = 0; i < 1000 && now - before > 20e-6; i++) {
        before = now;
        usleep(3000);
        now = load_cpu(l);
    }
}

load_window load_window_open(const load *l, long round)
{
    double now = bench_now();
    return (load_window){.load = l, .warm = now + l->seconds / 5, .end = now + l->seconds, .round = round};
}

bool load_window_goes_on(load_window *w, long units)
{
    double now = bench_now();
    if (w->warm > 0 && now >= w->warm && units >= w->round) {
        w->warm = 0;
        w->end = now + w->load->seconds;
        w->began = now;
        w->units = units;
        w->cpu = load_cpu(w->load);
    }
    return w->warm > 0 || now < w->end || units - w->units < ROUNDS * w->round;
}

load_result load_window_close(const load_window *w, long units)
{
    return (load_result){
        .units = (double)(units - w->units),
        .seconds = bench_now() - w->began,
        .cpu = load_cpu(w->load) - w->cpu,
    };
}

void load_print(load_result result)
{
    printf("{\"units\": %.0f, \"seconds\": %.9f, \"cpu\": %.9f}\n", result.units, result.seconds, result.cpu);
}
