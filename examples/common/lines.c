/* SPDX-License-Identifier: MIT
 *
 * The reader of lines.h: a buffer as long as the longest line, and its newline.
 */
#include "lines.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int lines_init(struct lines *lines, int fd)
{
    *lines = (struct lines){.fd = fd, .stop_fd = eventfd(0, EFD_CLOEXEC)};
    return lines->stop_fd < 0 ? -errno : 0;
}

void lines_fini(struct lines *lines)
{
    close(lines->stop_fd);
}

void lines_wait(void *arg)
{
    const struct lines *lines = arg;
    struct pollfd either[] = {{.fd = lines->fd, .events = POLLIN}, {.fd = lines->stop_fd, .events = POLLIN}};
    while (poll(either, 2, -1) < 0 && errno == EINTR)
        ;
}

void lines_stop(struct lines *lines)
{
    eventfd_write(lines->stop_fd, 1);
}

int lines_read(struct lines *lines)
{
    memmove(lines->bytes, lines->bytes + lines->start, lines->end - lines->start);
    lines->end -= lines->start;
    lines->start = 0;
    ssize_t got;
    do
        got = read(lines->fd, lines->bytes + lines->end, sizeof lines->bytes - lines->end);
    while (got < 0 && errno == EINTR);
    lines->ended = got <= 0;
    if (got < 0)
        return -errno;
    lines->end += (size_t)got;
    return got > 0;
}

/* Where the next line's newline is; at the end of all, one more than the last byte; NULL = not read yet. */
static const char *find_end(const struct lines *lines)
{
    const char *first = lines->bytes + lines->start;
    size_t len = lines->end - lines->start;
    const char *newline = memchr(first, '\n', len);
    if (!newline && lines->ended && (len > 0 || lines->too_long))
        return first + len;
    return newline;
}

/* A buffer full without a newline: its line is too long, whatever follows. */
static void skip_full(struct lines *lines)
{
    if (lines->end - lines->start < sizeof lines->bytes)
        return;
    lines->start = lines->end = 0;
    lines->too_long = true;
}

int lines_next(struct lines *lines, const char **line, size_t *len)
{
    const char *end = find_end(lines);
    if (!end) {
        skip_full(lines);
        return 0;
    }
    *line = lines->bytes + lines->start;
    *len = (size_t)(end - *line);
    size_t after = (size_t)(end - lines->bytes) + 1;
    lines->start = after < lines->end ? after : lines->end;
    lines->number++;
    bool whole = !lines->too_long;
    lines->too_long = false;
    return whole ? 1 : -EMSGSIZE;
}
