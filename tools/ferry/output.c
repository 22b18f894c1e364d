/* SPDX-License-Identifier: MIT
 *
 * A file that appears under its name whole, or not at all.
 */
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* mkostemp() makes private files; this one is to have the mode that any new file has. */
static int make_public(int fd)
{
    mode_t mask = umask(0);
    umask(mask);
    return fchmod(fd, 0666 & ~mask);
}

static int make_temporary(struct output *output)
{
    output->fd = mkostemp(output->temporary, O_CLOEXEC);
    if (output->fd < 0)
        return -errno;
    if (make_public(output->fd) == 0)
        return 0;
    int error = -errno;
    close(output->fd);
    unlink(output->temporary);
    return error;
}

int output_open(struct output *output, const char *path)
{
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return S_ISDIR(there.st_mode) ? -EISDIR : -EINVAL;
    if (asprintf(&output->temporary, "%s.XXXXXX", path) < 0)
        return -ENOMEM;
    int error = make_temporary(output);
    if (error != 0) {
        free(output->temporary);
        return error;
    }
    output->path = path;
    return 0;
}

int output_write(struct output *output, const void *data, size_t len)
{
    const char *bytes = data;
    while (len > 0) {
        ssize_t n = write(output->fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* Some errors of writing, a full disk among them, are told only when the data is written back, or at the close. */
static int settle(struct output *output, bool keep)
{
    int error = keep && fdatasync(output->fd) != 0 ? -errno : 0;
    if (close(output->fd) != 0 && error == 0)
        error = -errno;
    if (keep && error == 0 && rename(output->temporary, output->path) != 0)
        error = -errno;
    return error;
}

int output_close(struct output *output, bool keep)
{
    if (output->path == NULL)
        return 0;
    int error = settle(output, keep);
    if (!keep || error != 0)
        unlink(output->temporary);
    free(output->temporary);
    output->path = NULL;
    return error;
}
