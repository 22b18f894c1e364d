/* SPDX-License-Identifier: MIT
 *
 * conn: what is put into the outbox, by any thread. Whoever finds nobody writing becomes the writer (writer.c).
 *
 *   - The loop's thread gathers small messages (CORKED) and writes them when the callback returns; a big one goes to the
 *     kernel at once, from where it lies, behind what was gathered; unless the connection has had its share of the turn.
 *   - Another thread writes its own message at once when nobody is writing, and nothing else. When it comes in a hurry,
 *     close behind the last write, it leaves the message to the loop instead, so that many become one write.
 *   - What the kernel moves, files and pipes, is the loop's alone.
 */
#include "conn/conn.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BIG = 4096,       /* bytes; from here on a copy costs more than gathering saves */
    KEPT = 64 * 1024, /* bytes; up to here it pays to send by way of the backend, if they need not be copied for it */
};

/* Leaves the queue to the loop, if nobody is at it. */
static void cork(ferry_conn *c)
{
    if (c->out.role != FY_IDLE)
        return;
    c->out.role = FY_CORKED;
    fy_conn_mark(c, FY_DUE_WRITE);
}

/* Writes the queue and this message behind it, from where it lies. */
static void send_lent(ferry_conn *c, const struct iovec *iov, int count, size_t len)
{
    struct fy_segment *own = fy_segment_lent(iov, count, len);
    if (!own) {
        fy_queue_no_memory(c, len);
        return;
    }
    fy_queue_push(&c->out, own);
    fy_writer_run(c, own, fy_outbox_pending(&c->out));
}

/* A big message that cannot be written now is copied, without the lock, before it enters. */
static void send_copied(ferry_conn *c, const struct iovec *iov, int count, size_t len)
{
    struct fy_segment *segment = fy_segment_lent(iov, count, len);
    char *copy = segment ? fy_segment_copy(segment) : NULL;
    if (!copy) {
        free(segment);
        fy_conn_fail(c, -ENOMEM);
        return;
    }
    fy_segment_adopt(segment, copy);
    if (fy_outbox_put(c, segment) < 0)
        fy_segment_free(segment);
}

/* The loop sends on what it has just received: from where the backend has it, if that keeps it there. */
static bool send_kept(ferry_conn *c, const struct iovec *iov, int count, size_t len)
{
    struct fy_outbox *out = &c->out;
    if (out->role != FY_IDLE || count != 1 || len > KEPT || !fy_poll_keeps(c->loop->poll, iov->iov_base))
        return false;
    struct fy_segment *segment = fy_segment_memory(iov->iov_base, len, NULL, NULL);
    if (!segment)
        return false;
    if (!fy_poll_send(c->loop->poll, &c->source, iov->iov_base, len)) {
        free(segment);
        return false;
    }
    fy_queue_push(out, segment);
    out->role = FY_WRITING;
    out->retry = false;
    return true;
}

/* Whether the queue cannot be written now, by this thread: others are at it; or the loop has done so much for it in this turn,
 * or would have to, to get to its end. */
static bool is_held(const ferry_conn *c)
{
    const struct fy_outbox *out = &c->out;
    return out->role == FY_WRITING || out->role == FY_BLOCKED ||
           (fy_loop_here(c->loop) && fy_outbox_turn_bytes(c) + fy_outbox_pending(out) >= FY_TURN_BYTES);
}

/* A message that was admitted. */
static void take_in(ferry_conn *c, const struct iovec *iov, int count, size_t len)
{
    bool here = fy_loop_here(c->loop);
    bool alone = c->out.role == FY_IDLE && !here;
    if (here && len >= BIG && send_kept(c, iov, count, len))
        return;
    if (len >= BIG || (alone && !fy_writer_just_wrote(&c->out)))
        send_lent(c, iov, count, len);
    else if (fy_queue_append(c, iov, count, len))
        cork(c);
    else
        fy_queue_no_memory(c, len);
}

void fy_outbox_send(ferry_conn *c, const struct iovec *iov, int count, size_t len)
{
    struct fy_outbox *out = &c->out;
    if (len == 0)
        return;
    fy_lock(&out->lock);
    if (len >= BIG && is_held(c) && !out->dead && !out->ended) {
        fy_unlock(&out->lock);
        send_copied(c, iov, count, len);
        return;
    }
    if (fy_queue_admit(c, len, len) == 0)
        take_in(c, iov, count, len);
    fy_conn_unlock(c);
}

int fy_outbox_put(ferry_conn *c, struct fy_segment *segment)
{
    struct fy_outbox *out = &c->out;
    bool moved = fy_segment_is_moved(segment);
    uint64_t memory = moved ? 0 : segment->left;
    fy_lock(&out->lock);
    int refused = fy_queue_admit(c, segment->left, memory);
    if (refused == 0) {
        bool alone = out->role == FY_IDLE && !moved && !fy_loop_here(c->loop);
        uint64_t len = segment->left;
        fy_queue_push(out, segment);
        if (alone && !fy_writer_just_wrote(out))
            fy_writer_run(c, NULL, len);
        else
            cork(c);
    }
    fy_conn_unlock(c);
    return refused;
}

void fy_outbox_end(ferry_conn *c, bool close)
{
    fy_lock(&c->out.lock);
    if (!c->out.dead) {
        if (!c->out.ended) {
            c->out.ended = true;
            cork(c);
        }
        if (close && !c->out.close_asked) {
            c->out.close_asked = true;
            fy_conn_mark(c, FY_DUE_CLOSE);
        }
    }
    fy_conn_unlock(c);
}
