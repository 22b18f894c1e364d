/* SPDX-License-Identifier: MIT
 *
 * A seccomp filter: the system calls that serving takes, and no others. From libseccomp where the build found it
 * (filter_seccomp.c), else there is none (filter_none.c).
 */
#ifndef FERRY_TOOL_FILTER_H
#define FERRY_TOOL_FILTER_H

#include <stdbool.h>

/* What is allowed besides what always is. */
struct filter {
    bool opens;   /* files, for reading */
    bool unlinks; /* a Unix socket, at the end */
    bool ring;    /* io_uring: what is asked for by a ring no filter sees */
};

/* From now on, for all threads, every other call fails with EPERM; but one of another architecture (x32, i386) ends
 * the process. 0 or -errno: -ENOSYS or -EOPNOTSUPP = the kernel has none, -ENOPKG = the program was built without. */
int filter_install(const struct filter *filter);

#endif
