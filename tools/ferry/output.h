/* SPDX-License-Identifier: MIT
 *
 * A file that appears under its name whole, or not at all: written under a temporary name beside it, then renamed.
 */
#ifndef FERRY_TOOL_OUTPUT_H
#define FERRY_TOOL_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct output {
    char *path; /* NULL = there is none */
    char *temporary;
    int fd;
};

/* Makes the temporary file. A link is followed, and a file that is replaced leaves its mode to the new one. Returns 0 or
 * -errno: -EINVAL when there is something at `path` that is not a file. */
int output_open(struct output *output, const char *path);

/* Appends. Returns 0 or -errno. */
int output_write(struct output *output, const void *data, size_t len);

/* Ends it: under its name when `keep` is set and all of it is on disk, else not at all. Returns 0 or -errno. */
int output_close(struct output *output, bool keep);

#endif
