/* SPDX-License-Identifier: MIT
 *
 * A folder that a name cannot lead out of, by openat2(2).
 */
#include "root.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int root_init(struct root *root, const char *path)
{
    const char *slash = strrchr(path, '/');
    root->name = slash != NULL ? slash + 1 : path;
    if (*root->name == '\0')
        root->name = "."; /* the folder itself: it will be seen that it is no file */
    char *folder = slash == NULL ? strdup(".") : strndup(path, slash > path ? (size_t)(slash - path) : 1);
    if (folder == NULL)
        return -ENOMEM;
    root->fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    return root->fd >= 0 ? 0 : -errno;
}

/* A FIFO must not hang us, nor a terminal become ours. Before Linux 5.6 links are not followed at all: the name has no
 * slash, and so cannot lead anywhere else. */
int root_open(const struct root *root)
{
    enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
    const struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd;
    do {
        fd = syscall(SYS_openat2, root->fd, root->name, &how, sizeof how);
        if (fd < 0 && errno == ENOSYS)
            fd = openat(root->fd, root->name, FLAGS | O_NOFOLLOW);
    } while (fd < 0 && (errno == EINTR || errno == EAGAIN)); /* EAGAIN: something was renamed meanwhile */
    return fd >= 0 ? (int)fd : -errno;
}

void root_fini(struct root *root)
{
    if (root->fd >= 0)
        close(root->fd);
    root->fd = -1;
}
