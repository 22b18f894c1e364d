/* SPDX-License-Identifier: MIT
 *
 * co: the table of structs, and handles.
 *
 * Structs are made by chunks; a chunk belongs to a loop. The table holds chunks, is never shrunk, and is read without a
 * lock. A handle is (generation << 32 | number + 1), dressed as a pointer; a generation comes again after 2^31 coroutines
 * in the same struct.
 */
#include "co/table.h"

#include <stdlib.h>

enum { CHUNK = 64, CHUNKS = 65536 };

struct chunk {
    ferry_loop *loop;
    struct fy_co cos[CHUNK];
};

static struct {
    pthread_mutex_t lock; /* for making and dropping chunks */
    _Atomic(struct chunk *) chunks[CHUNKS];
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void fill(struct chunk *chunk, unsigned at, bool foreign, struct fy_list *free_list)
{
    for (unsigned i = 0; i < CHUNK; i++) {
        struct fy_co *co = &chunk->cos[i];
        co->index = at * CHUNK + i;
        co->loop = chunk->loop;
        co->foreign = foreign;
        fy_list_init(&co->joiners);
        fy_list_append(free_list, &co->link);
    }
}

static void make_chunk(ferry_loop *loop, bool foreign, struct fy_list *free_list)
{
    static unsigned next; /* where to look first */
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return;
    chunk->loop = loop;
    pthread_mutex_lock(&table.lock);
    unsigned tried = 0;
    while (tried < CHUNKS && table.chunks[next % CHUNKS]) {
        next++;
        tried++;
    }
    unsigned at = next++ % CHUNKS;
    if (tried < CHUNKS) {
        fill(chunk, at, foreign, free_list);
        atomic_store_explicit(&table.chunks[at], chunk, memory_order_release);
    }
    pthread_mutex_unlock(&table.lock);
    if (tried == CHUNKS)
        free(chunk);
}

static struct fy_co *take(ferry_loop *loop, bool foreign, struct fy_list *free_list)
{
    if (fy_list_empty(free_list))
        make_chunk(loop, foreign, free_list);
    struct fy_list *node = fy_list_take(free_list);
    if (!node)
        return NULL;
    struct fy_co *co = FY_CONTAINER(node, struct fy_co, link);
    atomic_fetch_add(&co->generation, 1);
    return co;
}

struct fy_co *fy_table_take(ferry_loop *loop, bool foreign)
{
    struct fy_cos *cos = loop->cos;
    if (!foreign)
        return take(loop, false, &cos->free);
    pthread_mutex_lock(&cos->lock);
    struct fy_co *co = take(loop, true, &cos->foreign_free);
    pthread_mutex_unlock(&cos->lock);
    return co;
}

ferry_co *fy_co_handle(const struct fy_co *co)
{
    return (ferry_co *)(uintptr_t)((uint64_t)atomic_load(&co->generation) << 32 | (co->index + 1));
}

struct fy_co *fy_table_find(const ferry_co *handle)
{
    uint64_t value = (uintptr_t)handle;
    uint32_t number = (uint32_t)value - 1;
    if (!handle || number >= CHUNK * CHUNKS)
        return NULL;
    struct chunk *chunk = atomic_load_explicit(&table.chunks[number / CHUNK], memory_order_acquire);
    if (!chunk)
        return NULL;
    struct fy_co *co = &chunk->cos[number % CHUNK];
    return atomic_load(&co->generation) == value >> 32 ? co : NULL;
}

void fy_table_drop(ferry_loop *loop)
{
    pthread_mutex_lock(&table.lock);
    for (unsigned i = 0; i < CHUNKS; i++) {
        struct chunk *chunk = atomic_load_explicit(&table.chunks[i], memory_order_relaxed);
        if (!chunk || chunk->loop != loop)
            continue;
        atomic_store(&table.chunks[i], NULL);
        free(chunk);
    }
    pthread_mutex_unlock(&table.lock);
}
