/* SPDX-License-Identifier: MIT
 *
 * The chat's messages on the wire, each in a frame:
 *
 *      0        4                 4 + length
 *      +--------+-----------------+--------+--------------
 *      | length | body            | length | body of the next
 *      +--------+-----------------+--------+--------------
 *       4 bytes,  UTF-8, 0 to
 *       big-endian 65536 bytes
 *
 * A body of no bytes is a message like any other. With a length over 65536 the stream makes no sense any more, and the
 * connection has to be closed. Whether a body is UTF-8 is between those who write and those who show it: what only
 * passes it on does not look inside.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

enum { FRAME_HEADER = 4, FRAME_BODY_MAX = 64 << 10, FRAME_MAX = FRAME_HEADER + FRAME_BODY_MAX };

/* The two ways through a header; the length that is read may be one that is not allowed. */
uint32_t frame_read_header(const void *header);
void frame_write_header(void *header, uint32_t length);

struct frame {
    const char *body; /* in what was parsed */
    size_t length;    /* of the body */
    size_t size;      /* of the whole frame */
};

/* Looks for a whole frame at the beginning of `data`.
 * 1 = it is there; 0 = more bytes are needed; -EMSGSIZE = its body is too long, `length` tells. */
int frame_parse(const void *data, size_t len, struct frame *found);

#endif
