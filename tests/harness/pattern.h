/* SPDX-License-Identifier: MIT
 *
 * Bytes that can be checked anywhere: the byte at an offset of a stream follows from a seed and that offset alone, so
 * that a byte lost, doubled, changed or out of place is seen.
 */
#ifndef FERRY_TEST_PATTERN_H
#define FERRY_TEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>

struct pattern {
    uint64_t seed;
    uint64_t at; /* offset of the next byte to be made or checked */
};

/* Writes the next `len` bytes of the stream to `data`. */
void pattern_fill(struct pattern *pattern, void *data, size_t len);

/* How many of the `len` bytes are the next of the stream; `len` when all are. Moves past those. */
size_t pattern_match(struct pattern *pattern, const void *data, size_t len);

/* Fails, naming the offset, unless the `len` bytes are the next of the stream. */
void pattern_check(struct pattern *pattern, const void *data, size_t len);

/* A new buffer from malloc() with the first `len` bytes of the stream. */
void *pattern_new(uint64_t seed, size_t len);

/* Numbers that look random and are the same each time: the next one of the series that *state stands for. */
uint64_t random_next(uint64_t *state);
size_t random_below(uint64_t *state, size_t limit);

#endif
