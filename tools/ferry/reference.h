/* SPDX-License-Identifier: MIT
 *
 * The file that downloads are compared with, byte by byte, while they come in.
 *
 * It is read with pread(2), not mapped: a mapped file that someone shortens ends the reader with SIGBUS.
 */
#ifndef FERRY_TOOL_REFERENCE_H
#define FERRY_TOOL_REFERENCE_H

#include "tool.h"

struct reference {
    ferry_file *file; /* NULL = there is none */
    uint64_t size;
};

/* Returns 0 or -errno. */
int reference_open(struct reference *reference, const char *path);
void reference_close(struct reference *reference);

/* Compares `len` bytes with those at `from`, which must lie inside the file. Returns 0 when they are equal, 1 with the
 * offset of the first that is not in *differs, or -errno. Thread: any. */
int reference_check(const struct reference *reference, const void *data, size_t len, uint64_t from, uint64_t *differs);

#endif
