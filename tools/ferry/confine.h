/* SPDX-License-Identifier: MIT
 *
 * Confining this process to what serving takes, by the kernel: should a peer ever take it over, it gets no further.
 *
 *     Landlock   no file but those named below; no TCP connection, no other port; no signal, no abstract Unix socket
 *                outside (the more the newer the kernel)
 *     seccomp    no system call but those on a list: no program, no process, no socket
 *
 * Landlock holds for the calling thread and those it starts: this comes before the pool's threads.
 */
#ifndef FERRY_TOOL_CONFINE_H
#define FERRY_TOOL_CONFINE_H

#include <stdbool.h>

/* What must go on working. */
struct confinement {
    int reads;   /* a folder: files below it are opened; -1 = none are */
    int removes; /* a folder: a socket in it is removed in the end; -1 = none is */
    bool ring;   /* io_uring */
};

struct confined {
    int landlock; /* its version, 1 or more; or -errno: why it does not hold */
    int seccomp;  /* 0 or -errno */
};

struct confined confine(const struct confinement *keep);

/* An error of either, in words. */
const char *confine_strerror(int error);

#endif
