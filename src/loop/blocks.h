/* SPDX-License-Identifier: MIT
 *
 * loop: memory that was in use a moment ago, for whoever layers above to use again. malloc(3) gives big free blocks back to
 * the kernel, and the first touch of each page that comes anew is a fault, which costs more than what is done with the
 * page. Small blocks are for the loop's thread alone; big ones are for any thread, behind a lock.
 */
#ifndef FY_LOOP_BLOCKS_H
#define FY_LOOP_BLOCKS_H

#include "sys/lock.h"

#include <stddef.h>
#include <stdlib.h>

enum {
    FY_SMALL_BLOCK = 4096,
    FY_BIG_BLOCK = 65536,
    FY_SMALL_BLOCKS = 32, /* kept at most: as many as io_uring's sends are under way at a time (poll/uring.c) */
    FY_BIG_BLOCKS = 32
};

/* Of one loop. Zeros are a fresh one. */
struct fy_blocks {
    void *small[FY_SMALL_BLOCKS];
    unsigned smalls;
    struct fy_lock lock; /* guards what follows */
    unsigned bigs;
    void *big[FY_BIG_BLOCKS];
};

void fy_blocks_fini(struct fy_blocks *blocks);

/* Any thread. All blocks are malloc's, so that free(3) takes them, too. NULL = no memory. */
void *fy_big_take(struct fy_blocks *blocks);
void fy_big_give(struct fy_blocks *blocks, void *block);

/* The loop's thread. */
static inline void *fy_small_take(struct fy_blocks *blocks)
{
    return blocks->smalls > 0 ? blocks->small[--blocks->smalls] : malloc(FY_SMALL_BLOCK);
}

static inline void fy_small_give(struct fy_blocks *blocks, void *block)
{
    if (blocks->smalls < FY_SMALL_BLOCKS)
        blocks->small[blocks->smalls++] = block;
    else
        free(block);
}

#endif
