/* SPDX-License-Identifier: MIT
 *
 * floors: echo. One read a readiness, sent back as it is: pipelined messages too go back in one piece.
 */
#include "floor.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[64 << 10];

static void echo(int fd, uint32_t events)
{
    ssize_t got;
    do {
        got = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
        if (got > 0)
            send(fd, buf, (size_t)got, MSG_NOSIGNAL);
    } while (got == sizeof buf || (got > 0 && events & EPOLLRDHUP));
    if (got == 0 || events & (EPOLLERR | EPOLLHUP))
        close(fd);
}

int main(void)
{
    floor_run(EPOLLIN | EPOLLRDHUP | EPOLLET, NULL, echo);
}
