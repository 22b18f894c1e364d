/* SPDX-License-Identifier: MIT
 *
 * floors: broadcast. What one connection says is sent to each, in a loop of send(2).
 */
#include "floor.h"

#include "bench.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM_MAX = 20000 };

static char buf[64 << 10];
static int room[ROOM_MAX];
static int people;

static void enter(int fd)
{
    if (people == ROOM_MAX) {
        errno = EMFILE;
        bench_die("floor: broadcast");
    }
    room[people++] = fd;
}

static void leave(int fd)
{
    for (int i = 0; i < people; i++) {
        if (room[i] == fd) {
            room[i] = room[--people];
            break;
        }
    }
    close(fd);
}

static void say(int fd, uint32_t events)
{
    ssize_t got = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
    for (int i = 0; got > 0 && i < people; i++)
        send(room[i], buf, (size_t)got, MSG_NOSIGNAL);
    if (got == 0 || events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP))
        leave(fd);
}

int main(void)
{
    floor_run(EPOLLIN | EPOLLRDHUP | EPOLLET, enter, say);
}
