/* SPDX-License-Identifier: MIT
 *
 * poll: the buffers of provided.h.
 */
#include "poll/provided.h"

#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>

enum { PAGE = 4096, PART = 4 /* buffers */ };

static void give(struct fy_provided *b, unsigned id)
{
    struct io_uring_buf *place = &b->ring->bufs[b->tail & (b->count - 1)];
    b->each[id] = (struct fy_provided_buffer){0};
    place->addr = (uint64_t)(uintptr_t)(b->bytes + (size_t)id * b->size);
    place->len = b->size;
    place->bid = (unsigned short)id;
    __atomic_store_n(&b->ring->tail, ++b->tail, __ATOMIC_RELEASE);
}

static size_t mapped(const struct fy_provided *b)
{
    size_t entries = (b->count * sizeof(struct io_uring_buf) + PAGE - 1) / PAGE * PAGE;
    return entries + (size_t)b->count * b->size;
}

static void give_up_to(struct fy_provided *b, unsigned count)
{
    while (b->given < count && b->given < b->count)
        give(b, b->given++);
}

void fy_provided_refill(struct fy_provided *b)
{
    if (b->scarce)
        give_up_to(b, b->given + PART);
    b->scarce = false;
}

static int open_as(struct fy_provided *b, struct fy_ring *ring, unsigned count, unsigned size, bool incremental)
{
    *b = (struct fy_provided){.count = count, .size = size, .incremental = incremental};
    b->each = calloc(count, sizeof *b->each);
    b->ring = fy_sys_map_pages(mapped(b));
    int error = b->each && b->ring ? fy_sys_ring_buffers(ring, b->ring, count, incremental) : -ENOMEM;
    if (error < 0) {
        fy_provided_close(b);
        return error;
    }
    b->bytes = (char *)b->ring + mapped(b) - (size_t)count * size;
    give_up_to(b, incremental ? PART : count);
    return 0;
}

int fy_provided_open(struct fy_provided *b, struct fy_ring *ring)
{
    int error = open_as(b, ring, 16, 256 * 1024, true);
    return error == -EINVAL ? open_as(b, ring, 64, 16 * 1024, false) : error;
}

void fy_provided_close(struct fy_provided *b)
{
    if (b->ring)
        fy_sys_unmap(b->ring, mapped(b));
    free(b->each);
}

char *fy_provided_at(struct fy_provided *b, const struct io_uring_cqe *cqe)
{
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    char *at = b->bytes + (size_t)id * b->size + b->each[id].filled;
    if (cqe->res > 0)
        b->each[id].filled += (unsigned)cqe->res;
    return at;
}

void fy_provided_done(struct fy_provided *b, const struct io_uring_cqe *cqe)
{
    enum { MORE = 1 << 4 }; /* IORING_CQE_F_BUF_MORE: there is room left in it, and it stays with the kernel */
    unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
    if (b->incremental && (cqe->flags & MORE))
        return;
    if (b->each[id].sending > 0)
        b->each[id].full = true;
    else
        give(b, id);
}

unsigned char fy_provided_keep(struct fy_provided *b, const void *data)
{
    if (!fy_provided_have(b, data))
        return 0;
    size_t id = (size_t)((const char *)data - b->bytes) / b->size;
    b->each[id].sending++;
    return (unsigned char)(id + 1);
}

void fy_provided_sent(struct fy_provided *b, unsigned number)
{
    if (number == 0)
        return;
    struct fy_provided_buffer *buffer = &b->each[number - 1];
    if (--buffer->sending == 0 && buffer->full)
        give(b, number - 1);
}
