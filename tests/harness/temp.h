/* SPDX-License-Identifier: MIT
 *
 * Files for a case: made in the current folder, which is on a disk, and removed at once or by temp_remove().
 */
#ifndef FERRY_TEST_TEMP_H
#define FERRY_TEST_TEMP_H

#include <stddef.h>
#include <stdint.h>

struct temp {
    char path[64];
    int fd; /* for reading and writing */
};

/* A name that no other process uses, beginning with `prefix`. */
void temp_name(char *name, size_t cap, const char *prefix);

/* An empty file. */
void temp_init(struct temp *temp);

/* A file with the first `len` bytes of a pattern. */
void temp_fill(struct temp *temp, uint64_t seed, uint64_t len);

/* Writes bytes at an offset. */
void temp_write(struct temp *temp, uint64_t offset, const void *data, size_t len);

/* Closes the descriptor and removes the file. */
void temp_remove(struct temp *temp);

#endif
