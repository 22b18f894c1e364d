/* SPDX-License-Identifier: MIT
 *
 * base: bytes that wait to be consumed, contiguous.
 *
 *     bytes: |  consumed  |  waiting  |  free  |
 *            0           head        tail     cap
 *
 * A connection owns one only while its handler leaves bytes behind.
 */
#ifndef FY_BASE_BUFFER_H
#define FY_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct fy_buffer {
    size_t head, tail, cap;
    char bytes[];
};

static inline size_t fy_buffer_size(const struct fy_buffer *buffer)
{
    return buffer ? buffer->tail - buffer->head : 0;
}

/* Appends bytes, making or growing the buffer. False: no memory, nothing changed. */
bool fy_buffer_append(struct fy_buffer **buffer, const void *data, size_t len);

/* Consumes bytes from the front; frees the buffer with the last one. */
void fy_buffer_consume(struct fy_buffer **buffer, size_t len);

#endif
