/* SPDX-License-Identifier: MIT
 *
 * conn: watched files. A transfer belongs to two: the user's handle, and the segment in the outbox.
 */
#include "conn/transfer.h"

#include "base/clock.h"
#include "conn/conn.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PACE_MS = 20, /* the rate is kept by pieces of about so many milliseconds */
};

static void unref(ferry_transfer *t)
{
    if (atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    ferry_conn_unref(t->conn);
    free(t);
}

void ferry_transfer_unref(ferry_transfer *transfer)
{
    if (transfer)
        unref(transfer);
}

uint64_t ferry_transfer_sent(const ferry_transfer *transfer)
{
    return atomic_load_explicit(&transfer->sent, memory_order_relaxed);
}

static void pace_over(struct fy_timer *timer)
{
    ferry_conn *conn = FY_CONTAINER(timer, ferry_transfer, timer)->conn;
    fy_conn_enter(conn);
    fy_outbox_writable(conn);
    fy_conn_leave(conn);
}

uint64_t fy_transfer_allowance(ferry_transfer *t, uint64_t most)
{
    uint64_t rate = t->options.rate;
    if (rate == 0)
        return most;
    uint64_t now = fy_now_ns();
    if (t->started == 0)
        t->started = now;
    uint64_t piece = rate * PACE_MS / 1000 + 1;
    double due = (double)(now - t->started) / (double)FY_SECOND * (double)rate; /* bytes that may have left by now */
    double ahead = (double)ferry_transfer_sent(t) - due;
    if (ahead <= 0)
        return piece < most ? piece : most;
    uint64_t wait = (uint64_t)(ahead / (double)rate * (double)FY_SECOND) + 1;
    if (!fy_timer_arm(&t->conn->loop->timers, &t->timer, now + wait))
        return 1; /* no memory for a timer: slower than asked, by single bytes, but on its way */
    return 0;
}

void fy_transfer_advance(ferry_transfer *t, uint64_t n)
{
    atomic_fetch_add_explicit(&t->sent, n, memory_order_relaxed);
    if (t->options.on_progress)
        fy_conn_mark(t->conn, FY_DUE_PROGRESS);
}

bool fy_transfer_tells(ferry_transfer *t)
{
    uint64_t turn = t->conn->loop->counters.turns;
    if (t->told == turn)
        return false;
    t->told = turn;
    t->told_sent = ferry_transfer_sent(t);
    return true;
}

void fy_transfer_finish(ferry_transfer *t, int verdict)
{
    fy_timer_disarm(&t->conn->loop->timers, &t->timer);
    if (t->options.on_done)
        t->options.on_done(t->conn, ferry_transfer_sent(t), verdict, t->options.arg);
    unref(t);
}

void ferry_transfer_cancel(ferry_transfer *t)
{
    fy_lock(&t->conn->out.lock);
    if (t->segment) {
        t->segment->verdict = -ECANCELED;
        if (ferry_transfer_sent(t) > 0 || !fy_queue_remove(t->conn, t->segment))
            fy_conn_fail_locked(t->conn, -ECANCELED);
    }
    fy_conn_unlock(t->conn);
}

static ferry_transfer *new_transfer(ferry_conn *conn, const ferry_transfer_options *options)
{
    ferry_transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    atomic_init(&t->refs, 2);
    t->conn = ferry_conn_ref(conn);
    t->timer.fire = pace_over;
    if (options)
        t->options = *options;
    return t;
}

ferry_transfer *ferry_send_file_as(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len,
                                   const ferry_transfer_options *options)
{
    ferry_transfer *t = new_transfer(conn, options);
    struct fy_segment *segment = t ? fy_segment_file(file, offset, fy_file_length(file, offset, len), t) : NULL;
    int error = segment ? 0 : -ENOMEM;
    if (segment) {
        t->segment = segment;
        error = fy_outbox_put(conn, segment);
    }
    if (error == 0)
        return t;
    if (segment) {
        segment->file.transfer = NULL;
        fy_queue_discard(conn, segment);
    }
    if (t) {
        atomic_store(&t->refs, 1);
        unref(t);
    }
    errno = -error;
    return NULL;
}
