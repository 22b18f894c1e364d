/* SPDX-License-Identifier: MIT
 *
 * Files for a case.
 */
#include "temp.h"

#include "case.h"
#include "pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void temp_name(char *name, size_t cap, const char *prefix)
{
    (void)snprintf(name, cap, "%sferry-test-%d", prefix, (int)getpid());
}

void temp_init(struct temp *temp)
{
    (void)snprintf(temp->path, sizeof temp->path, "ferry-test-XXXXXX");
    temp->fd = mkostemp(temp->path, O_CLOEXEC);
    if (temp->fd < 0)
        fail_msg("mkstemp: %s", strerror(errno));
}

void temp_write(struct temp *temp, uint64_t offset, const void *data, size_t len)
{
    ssize_t put = pwrite(temp->fd, data, len, (off_t)offset);
    assert_int_equal(put, len);
}

void temp_fill(struct temp *temp, uint64_t seed, uint64_t len)
{
    char buffer[64 * 1024];
    struct pattern pattern = {.seed = seed};
    temp_init(temp);
    while (pattern.at < len) {
        uint64_t offset = pattern.at;
        size_t piece = len - offset < sizeof buffer ? (size_t)(len - offset) : sizeof buffer;
        pattern_fill(&pattern, buffer, piece);
        temp_write(temp, offset, buffer, piece);
    }
}

void temp_remove(struct temp *temp)
{
    assert_int_equal(close(temp->fd), 0);
    assert_int_equal(unlink(temp->path), 0);
}
