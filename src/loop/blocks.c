/* SPDX-License-Identifier: MIT
 *
 * loop: warm blocks.
 */
#include "loop/blocks.h"

void fy_blocks_fini(struct fy_blocks *blocks)
{
    while (blocks->smalls > 0)
        free(blocks->small[--blocks->smalls]);
    while (blocks->bigs > 0)
        free(blocks->big[--blocks->bigs]);
}

void *fy_big_take(struct fy_blocks *blocks)
{
    fy_lock(&blocks->lock);
    void *block = blocks->bigs > 0 ? blocks->big[--blocks->bigs] : NULL;
    fy_unlock(&blocks->lock);
    return block ? block : malloc(FY_BIG_BLOCK);
}

void fy_big_give(struct fy_blocks *blocks, void *block)
{
    fy_lock(&blocks->lock);
    if (blocks->bigs < FY_BIG_BLOCKS) {
        blocks->big[blocks->bigs++] = block;
        block = NULL;
    }
    fy_unlock(&blocks->lock);
    free(block);
}
