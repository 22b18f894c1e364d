/* SPDX-License-Identifier: MIT
 *
 * conn: the outbox's writer.
 *
 * One lock guards the queue and the role of the writer together, so that a message can neither be missed by a writer that
 * is about to leave nor be taken by two. No system call is made under the lock (but the ring for a dead connection,
 * conn.c).
 *
 *     IDLE ----> WRITING ----> IDLE       all has left
 *       |         ^  |  |
 *       v         |  |  +----> BLOCKED    EAGAIN or a short write; the loop goes on when there is room (WRITING again)
 *     CORKED -----+  +-------> CORKED     the budget is used, or it is not this thread's business: the loop goes on
 *
 * A message in WRITING that the kernel takes in part is lent, not copied: its thread copies what is left before it gives
 * the role back. That is why a message cannot be torn apart, and why order is the order of the calls.
 *
 * The one that is WRITING may also be the backend, which was given a piece to send with the rest of the turn's requests; or,
 * if it is big and has an owner, to send from where it lies (lend.c).
 *
 * `retry`: room in the kernel is told to the loop once (edge-triggered). Told while another thread is WRITING, it would
 * be lost if that thread then went to BLOCKED on an EAGAIN from before; so it is noted, and the writer tries again.
 */
#include "base/clock.h"
#include "conn/conn.h"
#include "conn/transfer.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SMALL = 16 * 1024, /* bytes; up to here it pays to send by way of the backend */
    GATHER = 64,       /* segments a system call takes */
    BULK = 32 * 1024,  /* bytes; from here on a system call takes so long that others should not wait for it */
    LONG = 256 * 1024, /* bytes; a file from here on is worth two system calls more */
    CHEAP = 4,         /* bytes that the kernel moves cost as much as one that it copies */
    HURRY = 49,        /* ticks: 50 us */
};

void fy_writer_step_out(ferry_conn *c)
{
    bool bell = c->out.bell;
    c->out.bell = false;
    fy_unlock(&c->out.lock);
    if (bell)
        fy_loop_ring(c->loop);
}

/* Makes what is left of `own` independent of its sender's memory, which ends with the call. It is the queue's then. */
static struct fy_segment *keep(ferry_conn *c, struct fy_segment *own)
{
    fy_writer_step_out(c);
    char *copy = fy_segment_copy(own);
    fy_lock(&c->out.lock);
    if (!copy) {
        fy_conn_fail_locked(c, -ENOMEM);
        return own;
    }
    fy_segment_adopt(own, copy);
    return NULL;
}

/* Cuts a vector down to `most` bytes; returns how many it has then. */
static size_t clamp(struct iovec *iov, int *count, uint64_t most)
{
    size_t bytes = 0;
    for (int i = 0; i < *count; i++) {
        if (iov[i].iov_len >= most - bytes) {
            iov[i].iov_len = most - bytes;
            *count = i + 1;
            return most;
        }
        bytes += iov[i].iov_len;
    }
    return bytes;
}

/* Each sendfile(2) pushes what it has at its end, also half a segment. Under TCP_CORK (tcp(7)) these join: a tenth less
 * work for a long file. A file with a rate leaves by small pieces on purpose. */
static void plug(ferry_conn *c, const struct fy_segment *segment)
{
    const ferry_transfer *t = segment->file.transfer;
    if (c->out.plugged || segment->left < LONG || (t && t->options.rate > 0))
        return;
    c->out.plugged = fy_sys_cork(c->source.fd, true) == 0;
}

/* All has left: so does the half of a segment that waits. A FIN would take it along. Others may queue meanwhile. */
static void unplug(ferry_conn *c)
{
    c->out.plugged = false;
    fy_writer_step_out(c);
    fy_sys_cork(c->source.fd, false);
    fy_lock(&c->out.lock);
}

static ssize_t move(ferry_conn *c, struct fy_segment *segment, uint64_t most)
{
    if (segment->kind == FY_FILE) {
        plug(c, segment);
        return fy_file_send(c, segment, most);
    }
    ssize_t n = fy_sys_splice_out(segment->pipe.pipe->out, c->source.fd, segment->left < most ? segment->left : most);
    return n == 0 ? -EIO : n;
}

/* What others have sent by way of the backend is not to wait for bulk. */
static void step_out_to_write(ferry_conn *c, bool bulk)
{
    fy_writer_step_out(c);
    if (bulk && fy_loop_here(c->loop))
        fy_poll_submit(c->loop->poll);
}

/* One system call with the front of the queue, without the lock. `full`: the kernel took less than it was given. */
static ssize_t write_front(ferry_conn *c, uint64_t limit, bool *full)
{
    struct fy_outbox *out = &c->out;
    struct iovec iov[GATHER];
    int count = 0;
    uint64_t bytes = 0;
    struct fy_segment *segment = out->first;
    ssize_t n;
    bool bulk = segment->left >= BULK;
    if (fy_segment_is_moved(segment)) {
        step_out_to_write(c, bulk);
        n = move(c, segment, limit < UINT64_MAX / CHEAP ? limit * CHEAP : limit);
        fy_lock(&out->lock);
        return n;
    }
    for (; segment && !fy_segment_is_moved(segment) && count < GATHER && bytes < limit; segment = segment->next) {
        if (count > 0 && fy_can_lend(c, segment))
            break;
        count += fy_segment_gather(segment, iov + count, GATHER - count);
        bytes += segment->left;
    }
    bool more = segment && (fy_segment_is_moved(segment) || fy_can_lend(c, segment));
    step_out_to_write(c, bulk);
    size_t given = clamp(iov, &count, limit < FY_CALL_MOST ? limit : FY_CALL_MOST);
    n = fy_sys_send(c->source.fd, iov, count, more);
    *full = n >= 0 && (size_t)n < given;
    fy_lock(&out->lock);
    return n;
}

static void send_fin(ferry_conn *c)
{
    fy_writer_step_out(c);
    int error = fy_sys_shutdown_write(c->source.fd);
    fy_lock(&c->out.lock);
    c->out.fin_sent = true;
    if (error == 0) /* else it has broken, which the loop will be told, and there is no FIN to acknowledge */
        fy_conn_mark(c, FY_DUE_FIN);
}

/* The peer has finished, and nothing was ever sent: the FIN can be left to close(2). */
static bool closes_at_once(const ferry_conn *c)
{
    return fy_loop_here(c->loop) && c->eof && c->out.close_asked && c->out.written == 0;
}

uint64_t fy_outbox_turn_bytes(const ferry_conn *c)
{
    return c->out.turn == (uint32_t)c->loop->counters.turns ? c->out.turn_bytes : 0;
}

/* A clock of 1024 nanoseconds that fits in half a word. It comes round after 73 minutes: who sends then is taken to be in a
 * hurry, once, which costs a wake-up. */
static uint32_t tick(uint64_t now)
{
    return (uint32_t)(now >> 10);
}

bool fy_writer_just_wrote(const struct fy_outbox *out)
{
    return tick(fy_now_ns()) - out->last_write < HURRY;
}

static void progress(ferry_conn *c, uint64_t n, uint64_t cost)
{
    bool here = fy_loop_here(c->loop);
    uint64_t now = here ? c->loop->now : fy_now_ns();
    atomic_store_explicit(&c->active, now, memory_order_relaxed);
    c->out.last_write = tick(now);
    if (here) {
        uint64_t bytes = fy_outbox_turn_bytes(c) + cost;
        c->out.turn = (uint32_t)c->loop->counters.turns;
        c->out.turn_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    }
    fy_queue_advance(c, n);
}

/* What follows from the kernel's answer. Returns the role to give way to, or FY_WRITING to go on. */
static enum fy_role answered(ferry_conn *c, ssize_t n, uint64_t cost, bool full)
{
    if (n >= 0) {
        progress(c, (uint64_t)n, cost);
    } else if (n == -ENOBUFS || n == -ENOMEM) {
        fy_conn_mark(c, FY_DUE_STARVED); /* the kernel's memory: no event tells when there is some */
        return FY_BLOCKED;
    } else if (n != -EAGAIN) {
        fy_conn_fail_locked(c, n == -EPIPE ? -ECONNRESET : (int)n);
    }
    return full || n == -EAGAIN ? FY_BLOCKED : FY_WRITING;
}

/* One system call, and what follows from it. */
static enum fy_role step(ferry_conn *c, uint64_t *limit)
{
    struct fy_outbox *out = &c->out;
    bool moved = fy_segment_is_moved(out->first);
    if (*limit == 0 || (moved && !fy_loop_here(c->loop)))
        return FY_CORKED;
    bool full = false;
    out->retry = false;
    ssize_t n = write_front(c, *limit, &full);
    uint64_t cost = n < 0 ? 0 : moved ? ((uint64_t)n + CHEAP - 1) / CHEAP : (uint64_t)n;
    *limit -= cost < *limit ? cost : *limit;
    return answered(c, n, cost, full);
}

/* Writes until the queue is empty, the kernel is full, `limit` bytes have gone, or the backend goes on with it; returns the
 * role that follows. */
static enum fy_role drain(ferry_conn *c, struct fy_segment **own, uint64_t limit)
{
    struct fy_outbox *out = &c->out;
    while (out->first && !out->dead) {
        if (!*own && fy_lend(c, limit))
            return FY_WRITING;
        enum fy_role next = step(c, &limit);
        if (next != FY_WRITING && *own && (*own)->left > 0 && !out->dead)
            *own = keep(c, *own);
        if (next == FY_CORKED || (next == FY_BLOCKED && !out->retry))
            return next;
    }
    return FY_IDLE;
}

/* The loop is to be told when there is room. Once: it is told each time from then on. */
static void expect_room(ferry_conn *c)
{
    if (c->out.expecting)
        return;
    c->out.expecting = true;
    if (fy_loop_here(c->loop))
        fy_poll_expect(c->loop->poll, &c->source);
    else
        fy_conn_mark(c, FY_DUE_EXPECT);
}

/* The writer gives up its role, for `next`; or, if that is FY_WRITING, to the backend. It holds the lock, now and
 * afterwards. */
static void give_way(ferry_conn *c, enum fy_role next)
{
    struct fy_outbox *out = &c->out;
    if (next == FY_WRITING)
        return;
    if (!out->first && out->plugged && !out->ended && !out->dead)
        unplug(c);
    if (out->first && next == FY_IDLE)
        next = FY_CORKED;
    if (!out->first && out->ended && !out->fin_sent && !out->dead) {
        if (closes_at_once(c))
            fy_conn_fail_locked(c, 0);
        else
            send_fin(c);
    }
    if (out->dead) {
        fy_queue_purge(c);
        fy_conn_mark(c, FY_DUE_END);
    } else {
        out->role = (unsigned char)next;
        if (out->doubted)
            fy_conn_mark(c, FY_DUE_READ);
        if (next == FY_CORKED)
            fy_conn_mark(c, FY_DUE_WRITE);
        if (next == FY_BLOCKED)
            expect_room(c);
        if (!out->first && (out->undrained || (out->awaited & FY_DUE_DRAIN)))
            fy_conn_mark(c, FY_DUE_DRAIN);
    }
}

/* The caller has made itself the writer and holds the lock; it holds it again on return, and is the writer no more. `own`
 * is the caller's lent segment, or NULL. */
void fy_writer_run(ferry_conn *c, struct fy_segment *own, uint64_t limit)
{
    c->out.role = FY_WRITING;
    give_way(c, drain(c, &own, limit));
    free(own);
}

/* A backend may take what is in one small piece along with what else it has for the kernel in this turn, which saves a
 * system call. It is the writer then, until it says FY_SENT. */
static bool pass_to_backend(ferry_conn *c)
{
    struct fy_outbox *out = &c->out;
    struct iovec piece;
    const struct fy_segment *first = out->first;
    if (!first || first->next || first->left > SMALL || out->ended || out->plugged || fy_segment_is_moved(first) ||
        fy_segment_gather(first, &piece, 1) != 1 || piece.iov_len == 0)
        return false;
    if (!fy_poll_send(c->loop->poll, &c->source, piece.iov_base, piece.iov_len))
        return false;
    out->role = FY_WRITING;
    out->retry = false;
    return true;
}

void fy_outbox_write(ferry_conn *c)
{
    if (c->out.role == FY_CORKED && !pass_to_backend(c))
        fy_writer_run(c, NULL, FY_TURN_BYTES);
}

/* What the backend has not sent of its own memory is copied, since it keeps that no longer. */
static void take_home(ferry_conn *c)
{
    struct fy_segment *first = c->out.first;
    if (!first || first->kind != FY_MEMORY || !fy_poll_keeps(c->loop->poll, first->memory.at))
        return;
    char *copy = fy_segment_copy(first);
    if (copy)
        fy_segment_adopt(first, copy);
    else
        fy_conn_fail_locked(c, -ENOMEM);
}

void fy_outbox_sent(ferry_conn *c, ssize_t n)
{
    fy_lock(&c->out.lock);
    uint32_t lent = fy_lend_answered(c->out.first);
    if (lent && n < 0 && n != -EAGAIN) { /* whatever it is, copying will tell */
        c->out.copies = true;
        n = 0;
    }
    enum fy_role next = answered(c, n, n < 0 ? 0 : (uint64_t)n, lent && n > 0 && n < lent);
    take_home(c);
    if (next == FY_WRITING || c->out.retry)
        next = c->out.first ? FY_CORKED : FY_IDLE;
    give_way(c, next);
    fy_unlock(&c->out.lock);
}

void fy_outbox_writable(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    if (c->out.role == FY_BLOCKED) {
        fy_writer_run(c, NULL, FY_TURN_BYTES);
    } else if (c->out.role == FY_WRITING) {
        c->out.retry = true;
    }
    fy_unlock(&c->out.lock);
}
