/* SPDX-License-Identifier: MIT
 *
 * A scene to escape from, and children that try to.
 */
#ifndef FERRY_TEST_ESCAPE_H
#define FERRY_TEST_ESCAPE_H

#include "sys/ring.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What is made before the confinement: ./X/outside, ./X/folder/{file, sub/, link -> ../outside}, ./X/run/socket. */
struct scene {
    bool open; /* files below the folder may be opened, the socket removed, the ring used; else nothing of it */
    pid_t parent;
    int folder, run, file;
    int stream[2];              /* a connection */
    int unused;                 /* a TCP socket that is neither bound nor connected */
    struct sockaddr_in address; /* somebody listens there */
    int listener;
    void *page; /* of memory */
    struct fy_ring *ring;
    char top[64], socket[96];
};

/* One try: a system call, or one of these. */
enum {
    ESCAPE_THREAD = -1, /* start a thread that finds itself confined, too */
    ESCAPE_RING = -2    /* ask for {operation, fd, address, length, offset} by the ring */
};

enum { ESCAPE_KILLED = 1000 }; /* by SIGSYS */

struct escape {
    const char *what;
    long call;
    long arguments[6];
    int error; /* what must come of it: 0, the errno, or ESCAPE_KILLED */
};

const struct scene *scene_begin(bool open);
void scene_end(void);

/* Each row in a process of its own. */
void escape_all(const struct scene *scene, const struct escape *rows, size_t count);

#endif
