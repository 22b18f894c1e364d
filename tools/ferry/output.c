/* SPDX-License-Identifier: MIT
 *
 * A file that appears under its name whole, or not at all.
 */
#include "output.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t mode_of_new_files(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* mkostemp() makes private files. */
static int make_temporary(struct output *output, mode_t mode)
{
    if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0)
        return -ENOMEM;
    output->fd = mkostemp(output->temporary, O_CLOEXEC);
    int error = output->fd < 0 ? -errno : 0;
    if (error == 0 && fchmod(output->fd, mode) != 0) {
        error = -errno;
        close(output->fd);
        unlink(output->temporary);
    }
    if (error != 0)
        free(output->temporary);
    return error;
}

/* A link stays: it may be /dev/stdout. */
static char *find_target(const char *path)
{
    struct stat there;
    return lstat(path, &there) == 0 ? realpath(path, NULL) : strdup(path);
}

int output_open(struct output *output, const char *path)
{
    struct stat there;
    bool exists = stat(path, &there) == 0;
    if (exists && !S_ISREG(there.st_mode))
        return S_ISDIR(there.st_mode) ? -EISDIR : -EINVAL;
    mode_t mode = exists ? there.st_mode & 0777 : mode_of_new_files();
    output->path = find_target(path);
    int error = output->path != NULL ? make_temporary(output, mode) : -errno;
    if (error != 0) {
        free(output->path);
        output->path = NULL;
    }
    return error;
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
    free(output->path);
    output->path = NULL;
    return error;
}
