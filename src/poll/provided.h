/* SPDX-License-Identifier: MIT
 *
 * poll: the memory that io_uring receives into: provided buffers, io_uring_register_buf_ring(3). Few and big ones that
 * the kernel fills piece by piece (Linux 6.12), else many small ones. What is in one is lent to whoever is told; then
 * it goes back to the kernel, unless some of it is being sent. The kernel goes through all that it has before it comes back
 * to the first, so it gets a quarter of the memory for a beginning, and more when that was not enough.
 */
#ifndef FY_POLL_PROVIDED_H
#define FY_POLL_PROVIDED_H

#include "sys/ring.h"

#include <stddef.h>

struct fy_provided_buffer {
    unsigned filled;  /* bytes */
    unsigned sending; /* operations that send from it */
    bool full;        /* to go back when they have */
};

struct fy_provided {
    struct io_uring_buf_ring *ring; /* count entries, then the bytes */
    char *bytes;
    unsigned count, size; /* at most 255, of so many bytes each; */
    unsigned given;       /* the first so many are in use, the others untouched */
    unsigned short tail;  /* of the ring */
    bool incremental;
    bool scarce; /* it has run out of them in this turn */
    struct fy_provided_buffer *each;
};

int fy_provided_open(struct fy_provided *b, struct fy_ring *ring); /* 0 or -errno */
void fy_provided_close(struct fy_provided *b);                     /* after the ring */

/* Before a turn: more of them, if they were scarce in the last. */
void fy_provided_refill(struct fy_provided *b);

/* Where the kernel has put what this completion, which has a buffer, tells of; and that who was told is done with it.
 */
char *fy_provided_at(struct fy_provided *b, const struct io_uring_cqe *cqe);
void fy_provided_done(struct fy_provided *b, const struct io_uring_cqe *cqe);

/* Sending from a buffer keeps it. Returns its number, from 1; 0 = these bytes are in none. */
unsigned char fy_provided_keep(struct fy_provided *b, const void *data);
void fy_provided_sent(struct fy_provided *b, unsigned number);

/* Whether these bytes are in one. */
static inline bool fy_provided_have(const struct fy_provided *b, const void *data)
{
    return (const char *)data >= b->bytes && (const char *)data < b->bytes + (size_t)b->count * b->size;
}

#endif
