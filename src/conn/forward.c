/* SPDX-License-Identifier: MIT
 *
 * conn: forwarding: what one connection receives is sent to another by the kernel, from socket to pipe to socket.
 *
 * At most one pipe full is on its way from a connection: it stands in the outbox of the other as a segment, between
 * messages, like a range of a file. Until it has left nothing more is received, which is all the backpressure there is.
 * When no pipe can be had (no descriptors), the same is done with a piece of memory.
 */
#include "base/log.h"
#include "conn/conn.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>

/* What goes through memory instead of a pipe. */
struct piece {
    ferry_conn *from; /* a reference */
    char bytes[64 * 1024];
};

/* Has the loop come by, to read on or to see that nothing is under way any more. */
static void look_again(ferry_conn *conn)
{
    fy_lock(&conn->out.lock);
    if (!conn->out.closed)
        fy_conn_mark(conn, FY_DUE_READ);
    fy_unlock(&conn->out.lock);
}

/* What was on its way has left, or was dropped. */
static void go_on(ferry_conn *from)
{
    from->in_transit = false;
    look_again(from);
    ferry_conn_unref(from);
}

void fy_forward_left(const struct fy_segment *segment)
{
    ferry_conn *from = segment->pipe.from;
    fy_pipe_give(&from->loop->pipes, segment->pipe.pipe, segment->left == 0);
    go_on(from);
}

static void release_piece(void *owner)
{
    struct piece *piece = owner;
    go_on(piece->from);
    free(piece);
}

static ssize_t receive_piece(ferry_conn *from, struct fy_segment **segment)
{
    struct piece *piece = malloc(sizeof *piece);
    if (!piece)
        return -ENOMEM;
    ssize_t n = fy_sys_recv(from->source.fd, piece->bytes, sizeof piece->bytes);
    if (n > 0) {
        piece->from = from;
        *segment = fy_segment_memory(piece->bytes, (size_t)n, release_piece, piece);
    }
    if (n > 0 && *segment)
        return n;
    free(piece);
    return n > 0 ? -ENOMEM : n;
}

/* Receives what there is, as a segment. Returns its bytes; 0 = end of input; or -errno. */
static ssize_t receive(ferry_conn *from, struct fy_segment **segment)
{
    struct fy_pipe *pipe = fy_pipe_take(&from->loop->pipes);
    if (!pipe)
        return receive_piece(from, segment);
    ssize_t n = fy_sys_splice_in(from->source.fd, pipe->in, FY_PIPE_BYTES);
    if (n > 0)
        *segment = fy_segment_pipe(pipe, (uint64_t)n, from);
    if (n > 0 && *segment)
        return n;
    fy_pipe_give(&from->loop->pipes, pipe, n <= 0);
    return n > 0 ? -ENOMEM : n;
}

/* Puts it into the other's outbox, and has it written at once where that is possible. */
static void pass_on(ferry_conn *from, struct fy_segment *segment)
{
    ferry_conn *to = from->forward;
    ferry_conn_ref(from); /* the segment's */
    from->in_transit = true;
    if (fy_outbox_put(to, segment) < 0)
        fy_queue_discard(to, segment);
    if (to->entered)
        return;
    fy_conn_enter(to);
    fy_conn_leave(to);
}

/* Whether there may be more to forward: while a pool is stopping, neither end is idle then. */
static void set_flowing(ferry_conn *from, bool flowing)
{
    ferry_conn *to = from->forward;
    if (from->flowing == flowing)
        return;
    from->flowing = flowing;
    to->feeders = (unsigned short)(to->feeders + (flowing ? 1 : -1));
    if (!flowing && to->loop->stopping)
        look_again(to);
}

static bool goes_on(const ferry_conn *from)
{
    return !from->in_transit && !from->closing && ferry_conn_error(from) == 0 && !from->out.closed;
}

void fy_forward_readable(ferry_conn *from)
{
    uint64_t bytes = 0;
    while (goes_on(from) && bytes < FY_TURN_BYTES) {
        struct fy_segment *segment = NULL;
        ssize_t n = receive(from, &segment);
        if (n == -EAGAIN) {
            set_flowing(from, false);
            fy_poll_empty(from->loop->poll, &from->source);
            return;
        }
        if (n <= 0) {
            set_flowing(from, false);
            fy_input_arrived(from, NULL, n < 0 ? n : fy_sys_take_error(from->source.fd));
            return;
        }
        atomic_store_explicit(&from->active, from->loop->now, memory_order_relaxed);
        atomic_fetch_add_explicit(&from->received, (uint64_t)n, memory_order_relaxed);
        bytes += (uint64_t)n;
        set_flowing(from, true);
        pass_on(from, segment);
    }
    fy_input_settle(from);
}

void fy_forward_bytes(ferry_conn *from, const void *data, size_t len)
{
    const struct iovec bytes = {(void *)data, len};
    fy_outbox_send(from->forward, &bytes, 1, len);
}

void fy_forward_rest(ferry_conn *from)
{
    size_t len = fy_buffer_size(from->input);
    if (len == 0 || from->closing)
        return;
    fy_forward_bytes(from, from->input->bytes + from->input->head, len);
    fy_buffer_consume(&from->input, len);
}

void fy_forward_end(ferry_conn *from)
{
    if (!from->forward)
        return;
    set_flowing(from, false);
    fy_pipes_unuse(&from->loop->pipes);
    ferry_conn_unref(from->forward);
    from->forward = NULL;
}

int ferry_forward(ferry_conn *from, ferry_conn *to)
{
    if (!fy_loop_here(from->loop))
        fy_fatal("ferry_forward: called outside of the connection's loop");
    if (from->loop != to->loop || from->forward)
        return -EINVAL;
    if (from->out.closed || to->out.closed)
        return -ENOTCONN;
    from->forward = ferry_conn_ref(to);
    fy_pipes_use(&from->loop->pipes);
    if (!from->giving)
        fy_forward_rest(from);
    look_again(from);
    return 0;
}
