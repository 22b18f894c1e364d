/* SPDX-License-Identifier: MIT
 *
 * floors: a file, to whoever connects: `file sendfile CHUNK FILE`, or `file pread CHUNK FILE` for pread(2) and send(2), by
 * pieces of CHUNK KiB. Connections take turns of half a MiB at least: one that filled its socket's 4 MiB first would find
 * nothing of them in the caches, and took a third longer.
 */
#include "floor.h"

#include "bench.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 20000, TURN = 512 << 10 };

static ssize_t (*move)(int fd, off_t *offset);
static int file;
static off_t size;
static size_t chunk;
static char *buf;
static off_t offsets[CONNECTIONS_MAX]; /* by descriptor */

static ssize_t move_by_sendfile(int fd, off_t *offset)
{
    return sendfile(fd, file, offset, chunk);
}

static ssize_t move_by_pread(int fd, off_t *offset)
{
    ssize_t got = pread(file, buf, chunk, *offset);
    ssize_t sent = got > 0 ? send(fd, buf, (size_t)got, MSG_NOSIGNAL) : got;
    if (sent > 0)
        *offset += sent;
    return sent;
}

static void begin(int fd)
{
    if (fd >= CONNECTIONS_MAX || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        bench_die("floor: file");
    offsets[fd] = 0;
}

static void go_on(int fd, uint32_t events)
{
    off_t end = offsets[fd] + TURN < size ? offsets[fd] + TURN : size;
    while (events & EPOLLOUT && offsets[fd] < end) {
        if (move(fd, &offsets[fd]) < 0 && errno == EAGAIN)
            return;
    }
    if (events & EPOLLOUT && offsets[fd] == size) {
        shutdown(fd, SHUT_WR);
        floor_watch(fd, EPOLLRDHUP);
    }
    if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP))
        close(fd);
}

int main(int argc, char **argv)
{
    struct stat status;
    if (argc != 4)
        errx(2, "usage: file sendfile|pread CHUNK FILE");
    move = strcmp(argv[1], "sendfile") == 0 ? move_by_sendfile : move_by_pread;
    chunk = (size_t)bench_number("CHUNK", argv[2]) << 10;
    file = open(argv[3], O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status) != 0)
        bench_die(argv[3]);
    size = status.st_size;
    buf = aligned_alloc(4096, chunk);
    if (!buf)
        bench_die("floor: file");
    floor_run(EPOLLIN | EPOLLOUT | EPOLLRDHUP, begin, go_on);
}
