/* SPDX-License-Identifier: MIT
 *
 * base: bytes that wait to be consumed.
 */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST = 512 };

/* Makes room for `len` more bytes: by moving the waiting ones to the front when that leaves half of the buffer free
 * (so that the moving stays cheap on average), else by doubling. */
static bool make_room(struct fy_buffer **buffer, size_t len)
{
    struct fy_buffer *old = *buffer;
    size_t waiting = fy_buffer_size(old);
    if (old && old->cap - old->tail >= len)
        return true;
    if (old && waiting + len <= old->cap / 2) {
        memmove(old->bytes, old->bytes + old->head, waiting);
        old->head = 0;
        old->tail = waiting;
        return true;
    }
    size_t cap = LEAST;
    while (cap < waiting + len)
        cap *= 2;
    struct fy_buffer *grown = malloc(sizeof *grown + cap);
    if (!grown)
        return false;
    if (old)
        memcpy(grown->bytes, old->bytes + old->head, waiting);
    grown->head = 0;
    grown->tail = waiting;
    grown->cap = cap;
    free(old);
    *buffer = grown;
    return true;
}

bool fy_buffer_append(struct fy_buffer **buffer, const void *data, size_t len)
{
    if (len == 0)
        return true;
    if (!make_room(buffer, len))
        return false;
    memcpy((*buffer)->bytes + (*buffer)->tail, data, len);
    (*buffer)->tail += len;
    return true;
}

void fy_buffer_consume(struct fy_buffer **buffer, size_t len)
{
    struct fy_buffer *b = *buffer;
    if (!b)
        return;
    b->head += len;
    if (b->head < b->tail)
        return;
    free(b);
    *buffer = NULL;
}
