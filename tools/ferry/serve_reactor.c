/* SPDX-License-Identifier: MIT
 *
 * ferry serve: a connection driven by callbacks.
 *
 * The next piece is sent when the one before is in the kernel (on_drain), so a connection costs one piece of memory,
 * however slow its peer. With a rate, a timer hands out credit, and a piece is no larger than the credit. After the last
 * piece comes FIN; the connection then waits for the peer's, as long as the peer likes: it may still be reading.
 */
#include "serve.h"
#include <errno.h>

/* All is queued: it will go out by itself, also when the pool is stopping. */
static void finish(struct stream *stream)
{
    ferry_shutdown(stream->conn);
    ferry_conn_set_busy(stream->conn, false);
    ferry_timer_cancel(stream->beat);
    stream->beat = NULL;
}

/* Sends the next piece, if it is time for one. */
static void advance(struct stream *stream)
{
    if (stream_allowance(stream) == 0 || ferry_conn_pending(stream->conn) > 0)
        return;
    int error = stream_send(stream);
    if (error != 0)
        stream_give_up(stream, error);
    else if (stream->at == stream->size)
        finish(stream);
}

static void beat(void *arg)
{
    struct stream *stream = arg;
    stream_earn(stream);
    advance(stream);
}

/* Between two pieces of a paced stream nothing is queued. That is not its end: it is busy. */
static int start_beat(struct stream *stream)
{
    ferry_conn_set_busy(stream->conn, true);
    stream->beat = ferry_every(ferry_conn_loop(stream->conn), BEAT_MS, beat, stream);
    return stream->beat != NULL ? 0 : -ENOMEM;
}

static int start(struct stream *stream)
{
    int error = stream->server->options.mode->begin(stream);
    if (error != 0)
        return error;
    if (stream->size == 0)
        finish(stream);
    else if (stream_is_paced(stream))
        error = start_beat(stream);
    else
        advance(stream);
    return error;
}

static void on_open(ferry_conn *conn, void *arg)
{
    struct stream *stream = stream_new(conn, arg);
    int error = stream != NULL ? start(stream) : 0;
    if (error != 0)
        stream_give_up(stream, error);
}

static void on_drain(ferry_conn *conn, void *arg)
{
    (void)arg;
    advance(ferry_conn_context(conn));
}

/* A client may say at once that it will send nothing (nc -N): that does not end what it is to get. */
static void on_eof(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

static void drive(ferry_service *service)
{
    service->on_open = on_open;
    service->on_drain = on_drain;
    service->on_eof = on_eof;
}

const struct style reactor_style = {"reactor", drive};
