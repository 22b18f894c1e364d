/* SPDX-License-Identifier: MIT
 *
 * The file that downloads are compared with.
 */
#include "reference.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Read and compared at a time: both halves stay in a core's cache. */
enum { PIECE = 64 * 1024 };

int reference_open(struct reference *reference, const char *path)
{
    reference->file = ferry_file_open(path);
    if (reference->file == NULL)
        return -errno;
    reference->size = ferry_file_size(reference->file);
    return 0;
}

void reference_close(struct reference *reference)
{
    ferry_file_unref(reference->file);
    reference->file = NULL;
}

static size_t first_difference(const char *a, const char *b, size_t len)
{
    size_t at = 0;
    while (at < len && a[at] == b[at])
        at++;
    return at;
}

int reference_check(const struct reference *reference, const void *data, size_t len, uint64_t from, uint64_t *differs)
{
    static _Thread_local char piece[PIECE];
    const char *bytes = data;
    while (len > 0) {
        ssize_t n = pread(ferry_file_fd(reference->file), piece, len < PIECE ? len : PIECE, (off_t)from);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        if (memcmp(bytes, piece, (size_t)n) != 0) {
            *differs = from + first_difference(bytes, piece, (size_t)n);
            return 1;
        }
        bytes += n;
        len -= (size_t)n;
        from += (uint64_t)n;
    }
    return 0;
}
