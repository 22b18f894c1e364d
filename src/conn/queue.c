/* SPDX-License-Identifier: MIT
 *
 * conn: what stands in an outbox, and what it costs. Admission, order and memory; who writes it is outbox.c's affair. All
 * of it under the outbox's lock.
 */
#include "conn/conn.h"
#include "conn/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}

/* Memory accounting. A message is charged when it is admitted, also while it is only lent: it may have to be kept. */

/* Takes room for a message, if the limits have it. */
static bool charge(ferry_conn *c, size_t bytes)
{
    const struct fy_driver *d = c->driver;
    struct fy_budget *budget = d->budget;
    if (bytes == 0)
        return true;
    if (d->max_pending && c->out.memory + bytes > d->max_pending)
        return false;
    if (budget && atomic_fetch_add_explicit(&budget->used, bytes, memory_order_relaxed) + bytes > budget->limit) {
        atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
        return false;
    }
    c->out.memory += bytes;
    if (c->out.memory > d->high_water && !c->out.above) {
        c->out.above = true;
        fy_conn_mark(c, FY_DUE_HIGH);
    }
    return true;
}

static void discharge(ferry_conn *c, size_t bytes)
{
    c->out.memory -= bytes;
    if (c->driver->budget)
        atomic_fetch_sub_explicit(&c->driver->budget->used, bytes, memory_order_relaxed);
    if (c->out.above && c->out.memory <= c->driver->low_water)
        fy_conn_mark(c, FY_DUE_LOW);
}

/* The loop may be gone when the connection has closed, unless we are on it. */
static void count_drop(ferry_conn *c, uint64_t len, int why)
{
    c->out.dropped += len;
    c->out.drops++;
    c->out.drop_reason = (short)why;
    if (!c->out.closed || fy_loop_here(c->loop))
        atomic_fetch_add_explicit(&c->loop->dropped, 1, memory_order_relaxed);
}

/* Whether a message may enter, `memory` of its bytes being kept here: 0, or why not. A refusal is counted, and where that is
 * the policy it is the end of the connection. */
int fy_queue_admit(ferry_conn *c, uint64_t len, uint64_t memory)
{
    struct fy_outbox *out = &c->out;
    int why = out->dead ? -ENOTCONN : out->ended ? -ESHUTDOWN : charge(c, memory) ? 0 : -ENOBUFS;
    if (why == 0) {
        add(&out->queued, len);
        out->undrained = true;
        return 0;
    }
    count_drop(c, len, why);
    if (why == -ENOBUFS && !c->driver->drop_overflow)
        fy_conn_fail_locked(c, -ENOBUFS);
    return why;
}

/* The queue. */

void fy_queue_push(struct fy_outbox *out, struct fy_segment *segment)
{
    segment->next = NULL;
    if (out->last)
        out->last->next = segment;
    else
        out->first = segment;
    out->last = segment;
}

/* The memory of a chunk. Small ones are warm for the loop, which writes most of what it queues in the same turn; big ones
 * for all, since there are many when there is a big one. */
static void free_chunk(ferry_conn *c, struct fy_segment *segment)
{
    size_t bytes = sizeof *segment + segment->chunk.cap;
    if (bytes == FY_SMALL_BLOCK && fy_loop_here(c->loop))
        fy_small_give(&c->loop->blocks, segment);
    else if (bytes == FY_BIG_BLOCK)
        fy_big_give(&c->loop->blocks, segment);
    else
        free(segment);
}

static void *take_chunk(ferry_conn *c, size_t bytes)
{
    if (bytes == FY_SMALL_BLOCK && fy_loop_here(c->loop))
        return fy_small_take(&c->loop->blocks);
    return bytes == FY_BIG_BLOCK ? fy_big_take(&c->loop->blocks) : malloc(bytes);
}

/* Its size grows with what is pending. */
static struct fy_segment *new_chunk(ferry_conn *c, size_t least)
{
    size_t bytes = sizeof(struct fy_segment) + (c->out.memory > least ? c->out.memory : least);
    if (bytes < FY_SMALL_BLOCK)
        bytes = FY_SMALL_BLOCK;
    if (bytes > FY_BIG_BLOCK)
        bytes = FY_BIG_BLOCK;
    void *memory = take_chunk(c, bytes);
    return memory ? fy_segment_chunk(memory, bytes) : NULL;
}

/* Lets go of a segment that is out of the queue: the user's code, and files, are for the loop to meet; a lent one is
 * still its sender's. */
static void retire(ferry_conn *c, struct fy_segment *segment)
{
    if (segment->kind == FY_LENT)
        return;
    if (segment->kind == FY_FILE && segment->file.transfer)
        segment->file.transfer->segment = NULL;
    if (segment->kind == FY_MEMORY && segment->memory.loans > 0) {
        segment->memory.gone = true;
        return;
    }
    if (fy_segment_is_watched(segment)) {
        segment->next = c->out.spent;
        c->out.spent = segment;
        fy_conn_mark(c, FY_DUE_SPENT);
    } else if (segment->kind == FY_CHUNK) {
        free_chunk(c, segment);
    } else {
        fy_segment_free(segment);
    }
}

static void pop(ferry_conn *c)
{
    struct fy_segment *segment = c->out.first;
    c->out.first = segment->next;
    if (!c->out.first)
        c->out.last = NULL;
    retire(c, segment);
}

/* `n` bytes have left from the front. */
void fy_queue_advance(ferry_conn *c, uint64_t n)
{
    struct fy_outbox *out = &c->out;
    add(&out->written, n);
    size_t freed = 0;
    while (out->first && (n > 0 || out->first->left == 0)) {
        struct fy_segment *segment = out->first;
        uint64_t part = n < segment->left ? n : segment->left;
        freed += fy_segment_is_moved(segment) ? 0 : part;
        fy_segment_advance(segment, part);
        n -= part;
        if (segment->left == 0)
            pop(c);
    }
    discharge(c, freed);
}

void fy_queue_purge(ferry_conn *c)
{
    struct fy_outbox *out = &c->out;
    size_t freed = 0;
    while (out->first) {
        freed += fy_segment_is_moved(out->first) ? 0 : out->first->left;
        out->first->verdict = atomic_load_explicit(&c->error, memory_order_relaxed);
        pop(c);
    }
    discharge(c, freed);
    out->role = FY_IDLE;
}

/* Copies a message to the end of the queue. A chunk that is being written may be appended to: the writer has noted where
 * its bytes end. */
bool fy_queue_append(ferry_conn *c, const struct iovec *iov, int count, size_t len)
{
    struct fy_segment *last = c->out.last;
    if (!last || last->kind != FY_CHUNK || last->chunk.cap - last->chunk.tail < len) {
        last = new_chunk(c, len);
        if (!last)
            return false;
        fy_queue_push(&c->out, last);
    }
    char *to = last->chunk.bytes + last->chunk.tail;
    if (count == 1)
        memcpy(to, iov->iov_base, len);
    else
        fy_iov_copy(to, iov, count, 0);
    last->chunk.tail += (uint32_t)len;
    last->left += len;
    return true;
}

/* A message was admitted, and cannot be held. */
void fy_queue_no_memory(ferry_conn *c, size_t len)
{
    discharge(c, len);
    fy_conn_fail_locked(c, -ENOMEM);
}

bool fy_queue_remove(ferry_conn *c, struct fy_segment *segment)
{
    struct fy_outbox *out = &c->out;
    struct fy_segment *before = NULL;
    if (out->first == segment && out->role == FY_WRITING)
        return false;
    for (struct fy_segment *s = out->first; s != segment; s = s->next)
        before = s;
    if (before)
        before->next = segment->next;
    else
        out->first = segment->next;
    if (out->last == segment)
        out->last = before;
    count_drop(c, segment->left, segment->verdict);
    atomic_fetch_sub_explicit(&out->queued, segment->left, memory_order_relaxed);
    retire(c, segment);
    if (out->role == FY_BLOCKED && !before) { /* what it was blocked by may have been this one's rate or cold pages */
        out->role = FY_CORKED;
        fy_conn_mark(c, FY_DUE_WRITE);
    }
    return true;
}

void fy_queue_discard(ferry_conn *c, struct fy_segment *segment)
{
    fy_lock(&c->out.lock);
    bool closed = c->out.closed;
    if (!closed)
        retire(c, segment);
    fy_conn_unlock(c);
    if (closed)
        fy_segment_free(segment);
}

void fy_queue_let_go(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    struct fy_segment *spent = c->out.spent, *in_order = NULL;
    c->out.spent = NULL;
    fy_unlock(&c->out.lock);
    while (spent) {
        struct fy_segment *next = spent->next;
        spent->next = in_order;
        in_order = spent;
        spent = next;
    }
    while (in_order) {
        struct fy_segment *next = in_order->next;
        fy_segment_free(in_order);
        in_order = next;
    }
}
