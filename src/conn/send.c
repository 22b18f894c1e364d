/* SPDX-License-Identifier: MIT
 *
 * conn: the public calls that any thread may make.
 */
#include "base/log.h"
#include "conn/conn.h"

#include <errno.h>
#include <stdlib.h>

/* A coroutine of the connection's loop waits above the high-water mark; nobody else does. */
static void hold_back(ferry_conn *conn)
{
    if (fy_loop_here(conn->loop) && conn->loop->hold_back)
        conn->loop->hold_back(conn);
}

void ferry_send(ferry_conn *conn, const void *data, size_t len)
{
    const struct iovec iov = {(void *)data, len};
    fy_outbox_send(conn, &iov, 1, len);
    hold_back(conn);
}

void ferry_sendv(ferry_conn *conn, const struct iovec *iov, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    fy_outbox_send(conn, iov, count, len);
    hold_back(conn);
}

static void put(ferry_conn *conn, struct fy_segment *segment)
{
    if (fy_outbox_put(conn, segment) < 0)
        fy_queue_discard(conn, segment);
    hold_back(conn);
}

void ferry_send_owned(ferry_conn *conn, void *data, size_t len, void (*release)(void *data))
{
    struct fy_segment *segment = fy_segment_memory(data, len, release, data);
    if (segment) {
        put(conn, segment);
        return;
    }
    fy_conn_fail(conn, -ENOMEM);
    if (release)
        release(data);
}

static void unref_blob(void *blob)
{
    ferry_blob_unref(blob);
}

void ferry_send_blob(ferry_conn *conn, ferry_blob *blob)
{
    struct fy_segment *segment = fy_segment_memory(ferry_blob_data(blob), ferry_blob_size(blob), unref_blob,
                                                   ferry_blob_ref(blob));
    if (segment) {
        put(conn, segment);
        return;
    }
    fy_conn_fail(conn, -ENOMEM);
    ferry_blob_unref(blob);
}

void ferry_send_file(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len)
{
    struct fy_segment *segment = fy_segment_file(file, offset, fy_file_length(file, offset, len), NULL);
    if (segment)
        put(conn, segment);
    else
        fy_conn_fail(conn, -ENOMEM);
}

void ferry_shutdown(ferry_conn *conn)
{
    fy_outbox_end(conn, false);
}

void ferry_close(ferry_conn *conn)
{
    fy_outbox_end(conn, true);
}

void ferry_abort(ferry_conn *conn)
{
    fy_conn_fail(conn, -ECONNABORTED);
}

static void set_paused(ferry_conn *conn, bool paused)
{
    fy_lock(&conn->out.lock);
    if (!conn->out.dead && conn->out.paused != paused) {
        conn->out.paused = paused;
        conn->out.resumed = !paused;
        fy_conn_mark(conn, FY_DUE_READ);
    }
    fy_conn_unlock(conn);
}

void ferry_conn_pause(ferry_conn *conn)
{
    set_paused(conn, true);
}

void ferry_conn_resume(ferry_conn *conn)
{
    set_paused(conn, false);
}

void ferry_conn_set_busy(ferry_conn *conn, bool busy)
{
    fy_lock(&conn->out.lock);
    conn->out.busy = busy;
    if (!busy && !conn->out.closed && atomic_load(&conn->loop->stopping))
        fy_conn_mark(conn, FY_DUE_READ); /* has the loop come by: it may be waiting for this */
    fy_conn_unlock(conn);
}

size_t ferry_conn_pending(const ferry_conn *conn)
{
    return ferry_conn_error(conn) < 0 ? 0 : (size_t)fy_outbox_pending(&conn->out);
}

int ferry_conn_error(const ferry_conn *conn)
{
    return atomic_load_explicit(&conn->error, memory_order_acquire);
}

ferry_loop *ferry_conn_loop(const ferry_conn *conn)
{
    return conn->loop;
}

void *ferry_conn_context(const ferry_conn *conn)
{
    return atomic_load_explicit(&conn->context, memory_order_acquire);
}

void ferry_conn_set_context(ferry_conn *conn, void *context, void (*release)(void *context))
{
    if (!fy_loop_here(conn->loop))
        fy_fatal("ferry_conn_set_context: called outside of the connection's loop");
    void *old = ferry_conn_context(conn);
    void (*release_old)(void *) = conn->release_context;
    conn->release_context = release;
    atomic_store_explicit(&conn->context, context, memory_order_release);
    if (release_old)
        release_old(old);
}

ferry_conn *ferry_conn_ref(ferry_conn *conn)
{
    if (atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed) == 0)
        fy_fatal("ferry_conn_ref: this connection has been freed");
    return conn;
}

void ferry_conn_unref(ferry_conn *conn)
{
    if (!conn || atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (conn->release_context)
        conn->release_context(ferry_conn_context(conn));
    free(conn);
}

void ferry_conn_stats(const ferry_conn *conn, ferry_stats *stats)
{
    ferry_conn *c = (ferry_conn *)conn; /* the lock is not part of what is promised to be const */
    if (fy_loop_here(c->loop) && c->source.fd >= 0)
        fy_close_acked(c);
    fy_lock(&c->out.lock);
    *stats = (ferry_stats){
        .received = atomic_load_explicit(&c->received, memory_order_relaxed),
        .queued = c->out.queued,
        .written = c->out.written,
        .unsent = fy_outbox_pending(&c->out),
        .dropped = c->out.dropped,
        .drops = c->out.drops,
        .drop_reason = c->out.drop_reason,
        .acknowledged = atomic_load_explicit(&c->acked, memory_order_relaxed),
        .verdict = (ferry_verdict)c->verdict,
    };
    fy_unlock(&c->out.lock);
}
