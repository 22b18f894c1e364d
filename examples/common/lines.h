/* SPDX-License-Identifier: MIT
 *
 * Lines that somebody types, or that a file or pipe has: read by pieces, without blocking where that must not be.
 *
 * lines_wait() is what blocks, and is for a worker thread; lines_stop() ends it from another, since nobody can tell
 * when the next key will be pressed. Then lines_read() has something without waiting, and lines_next() takes it apart.
 */
#ifndef LINES_H
#define LINES_H

#include "frame.h"

#include <stdbool.h>
#include <stddef.h>

enum { LINE_MAX_BYTES = FRAME_BODY_MAX };

struct lines {
    int fd, stop_fd;   /* what is read; an eventfd */
    size_t start, end; /* what is in `bytes` and was not taken yet */
    size_t number;     /* of the last line taken, from 1 */
    bool ended;        /* no more will be read */
    bool too_long;     /* the rest of a line that was too long is being skipped */
    char bytes[LINE_MAX_BYTES + 1];
};

/* The lines of that descriptor, which stays the caller's: 0, or -errno of eventfd(2). */
int lines_init(struct lines *lines, int fd);
void lines_fini(struct lines *lines);

/* Blocks until there is something to read, or the end, or lines_stop(). `arg` is a struct lines *. */
void lines_wait(void *arg);
void lines_stop(struct lines *lines); /* any thread; also before the wait */

/* Reads what is there, up to a buffer full: 1; 0 = the end; or -errno of read(2). Take all lines out in between. */
int lines_read(struct lines *lines);

/* Takes the next line out, without its end: 1; 0 = the rest has not been read yet; -EMSGSIZE = it was too long, and is
 * skipped. At the end, what has no newline is a line as well. It is valid until the next lines_read(). */
int lines_next(struct lines *lines, const char **line, size_t *len);

#endif
