/* SPDX-License-Identifier: MIT
 *
 * conn: the segments of an outbox.
 */
#include "conn/segment.h"

#include "conn/conn.h"
#include "conn/transfer.h"

#include <stdlib.h>
#include <string.h>

static void begin(struct fy_segment *segment, enum fy_kind kind, uint64_t left)
{
    segment->next = NULL;
    segment->kind = kind;
    segment->verdict = 0;
    segment->left = left;
}

static struct fy_segment *new_segment(enum fy_kind kind, uint64_t left)
{
    struct fy_segment *segment = malloc(sizeof *segment);
    if (segment)
        begin(segment, kind, left);
    return segment;
}

struct fy_segment *fy_segment_chunk(void *memory, size_t bytes)
{
    struct fy_segment *segment = memory;
    begin(segment, FY_CHUNK, 0);
    segment->chunk.head = 0;
    segment->chunk.tail = 0;
    segment->chunk.cap = (uint32_t)(bytes - sizeof *segment);
    segment->chunk.bytes = (char *)(segment + 1);
    return segment;
}

struct fy_segment *fy_segment_memory(const void *data, size_t len, void (*release)(void *), void *owner)
{
    struct fy_segment *segment = new_segment(FY_MEMORY, len);
    if (!segment)
        return NULL;
    segment->memory.at = data;
    segment->memory.release = release;
    segment->memory.owner = owner;
    segment->memory.lent = 0;
    segment->memory.loans = 0;
    segment->memory.gone = false;
    return segment;
}

struct fy_segment *fy_segment_lent(const struct iovec *iov, int count, size_t len)
{
    struct fy_segment *segment = new_segment(FY_LENT, len);
    if (!segment)
        return NULL;
    segment->lent.iov = iov;
    segment->lent.count = count;
    segment->lent.skip = 0;
    return segment;
}

struct fy_segment *fy_segment_file(ferry_file *file, uint64_t offset, uint64_t len, ferry_transfer *transfer)
{
    struct fy_segment *segment = new_segment(FY_FILE, len);
    if (!segment)
        return NULL;
    segment->file.file = ferry_file_ref(file);
    segment->file.offset = offset;
    segment->file.warm_until = offset;
    segment->file.cold = NULL;
    segment->file.transfer = transfer;
    return segment;
}

struct fy_segment *fy_segment_pipe(struct fy_pipe *pipe, uint64_t len, ferry_conn *from)
{
    struct fy_segment *segment = new_segment(FY_PIPE, len);
    if (!segment)
        return NULL;
    segment->pipe.pipe = pipe;
    segment->pipe.from = from;
    return segment;
}

void fy_iov_copy(char *to, const struct iovec *iov, int count, size_t skip)
{
    for (int i = 0; i < count; i++) {
        size_t past = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        skip -= past;
        if (iov[i].iov_len > past)
            memcpy(to, (const char *)iov[i].iov_base + past, iov[i].iov_len - past);
        to += iov[i].iov_len - past;
    }
}

char *fy_segment_copy(const struct fy_segment *segment)
{
    char *copy = malloc(segment->left);
    if (copy && segment->kind == FY_LENT)
        fy_iov_copy(copy, segment->lent.iov, segment->lent.count, segment->lent.skip);
    else if (copy)
        memcpy(copy, segment->memory.at, segment->left);
    return copy;
}

void fy_segment_adopt(struct fy_segment *segment, char *copy)
{
    segment->kind = FY_MEMORY;
    segment->memory.at = copy;
    segment->memory.release = free;
    segment->memory.owner = copy;
    segment->memory.lent = 0;
    segment->memory.loans = 0;
    segment->memory.gone = false;
}

static int gather_lent(const struct fy_segment *segment, struct iovec *iov, int room)
{
    size_t skip = segment->lent.skip;
    int n = 0;
    for (int i = 0; i < segment->lent.count && n < room; i++) {
        const struct iovec *from = &segment->lent.iov[i];
        if (skip >= from->iov_len) {
            skip -= from->iov_len;
            continue;
        }
        iov[n++] = (struct iovec){(char *)from->iov_base + skip, from->iov_len - skip};
        skip = 0;
    }
    return n;
}

int fy_segment_gather(const struct fy_segment *segment, struct iovec *iov, int room)
{
    switch (segment->kind) {
    case FY_CHUNK:
        *iov = (struct iovec){segment->chunk.bytes + segment->chunk.head, segment->left};
        return 1;
    case FY_MEMORY:
        *iov = (struct iovec){(void *)segment->memory.at, segment->left};
        return 1;
    case FY_LENT:
        return gather_lent(segment, iov, room);
    default:
        return 0;
    }
}

void fy_segment_advance(struct fy_segment *segment, uint64_t n)
{
    segment->left -= n;
    switch (segment->kind) {
    case FY_CHUNK:
        segment->chunk.head += (uint32_t)n;
        break;
    case FY_MEMORY:
        segment->memory.at += n;
        break;
    case FY_LENT:
        segment->lent.skip += n;
        break;
    case FY_FILE:
        segment->file.offset += n;
        if (segment->file.transfer)
            fy_transfer_advance(segment->file.transfer, n);
        break;
    case FY_PIPE:
        break;
    }
}

bool fy_segment_is_watched(const struct fy_segment *segment)
{
    if (fy_segment_is_moved(segment))
        return true; /* a file's last user closes it, which may take time; behind a pipe somebody waits */
    return segment->kind == FY_MEMORY && segment->memory.release && segment->memory.release != free;
}

void fy_segment_free(struct fy_segment *segment)
{
    if (segment->kind == FY_MEMORY && segment->memory.release)
        segment->memory.release(segment->memory.owner);
    if (segment->kind == FY_FILE) {
        if (segment->file.transfer)
            fy_transfer_finish(segment->file.transfer, segment->verdict);
        ferry_file_unref(segment->file.file);
    }
    if (segment->kind == FY_PIPE)
        fy_forward_left(segment);
    free(segment);
}
