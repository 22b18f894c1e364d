/* SPDX-License-Identifier: MIT
 *
 * The codec of frame.h. Bytes are put together one by one: a header lies at any address, and the machine may be of
 * either byte order.
 */
#include "frame.h"

#include <errno.h>

uint32_t frame_read_header(const void *header)
{
    const unsigned char *byte = header;
    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 | (uint32_t)byte[2] << 8 | byte[3];
}

void frame_write_header(void *header, uint32_t length)
{
    unsigned char *byte = header;
    for (unsigned i = 0; i < FRAME_HEADER; i++)
        byte[i] = (unsigned char)(length >> (24 - 8 * i));
}

int frame_parse(const void *data, size_t len, struct frame *found)
{
    if (len < FRAME_HEADER)
        return 0;
    found->body = (const char *)data + FRAME_HEADER;
    found->length = frame_read_header(data);
    found->size = FRAME_HEADER + found->length;
    if (found->length > FRAME_BODY_MAX)
        return -EMSGSIZE;
    return len >= found->size;
}
