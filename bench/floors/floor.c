/* SPDX-License-Identifier: MIT
 *
 * floors: listening, and a bare epoll loop; see floor.h.
 */
#include "floor.h"

#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { EVENTS = 256, BACKLOG = 4096 };

static int epoll;

int floor_listen(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        bench_die("floor: listen");
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

static void control(int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        bench_die("floor: epoll_ctl");
}

void floor_watch(int fd, uint32_t events)
{
    control(EPOLL_CTL_MOD, fd, events);
}

static int take(int listener, uint32_t events)
{
    static const int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        bench_die("floor: accept4");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    control(EPOLL_CTL_ADD, fd, events);
    return fd;
}

void floor_run(uint32_t events, void (*opened)(int fd), void (*ready)(int fd, uint32_t events))
{
    struct epoll_event batch[EVENTS];
    int listener = floor_listen();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    control(EPOLL_CTL_ADD, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, batch, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (batch[i].data.fd != listener) {
                ready(batch[i].data.fd, batch[i].events);
                continue;
            }
            int fd = take(listener, events);
            if (opened)
                opened(fd);
        }
    }
}
