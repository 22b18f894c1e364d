/* SPDX-License-Identifier: MIT
 *
 * ferry serve: one connection's way through the file, driven by callbacks.
 *
 * The next piece is sent when the one before is in the kernel (on_drain), so a connection costs one piece of memory,
 * however slow its peer. With a rate, a timer hands out credit, and a piece is no larger than the credit. After the last
 * piece comes FIN; the connection then waits for the peer's, as long as the peer likes: it may still be reading.
 */
#include "serve.h"
#include "units.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BEAT_MS = 50, KEEPALIVE_S = 60 };

static void give_up(struct stream *stream, int error)
{
    if (ferry_conn_error(stream->conn) == 0) /* else the client was faster, and on_close tells */
        complain("serve", "%s: %s: %s", stream->peer, stream->server->path, ferry_strerror(error));
    ferry_abort(stream->conn);
}

static bool paced(const struct stream *stream)
{
    return stream->server->options.rate > 0 && !stream->server->options.mode->paces_itself;
}

/* How many bytes may be sent now. */
static uint64_t allowance(const struct stream *stream)
{
    uint64_t most = stream->server->options.mode->piece;
    if (paced(stream) && stream->credit / 1000 < most)
        most = stream->credit / 1000;
    uint64_t left = stream->size - stream->at;
    return left < most ? left : most;
}

static void stop_beat(struct stream *stream)
{
    ferry_timer_cancel(stream->beat);
    stream->beat = NULL;
}

/* All is queued: it will go out by itself, also when the pool is stopping. */
static void finish(struct stream *stream)
{
    ferry_shutdown(stream->conn);
    ferry_conn_set_busy(stream->conn, false);
    stop_beat(stream);
}

/* Sends the next piece, if it is time for one. */
static void advance(struct stream *stream)
{
    uint64_t before = stream->at;
    uint64_t bytes = allowance(stream);
    if (bytes == 0 || ferry_conn_pending(stream->conn) > 0)
        return;
    int error = stream->server->options.mode->send(stream, bytes);
    if (error != 0) {
        give_up(stream, error);
        return;
    }
    if (paced(stream))
        stream->credit -= 1000 * (stream->at - before);
    if (stream->at == stream->size)
        finish(stream);
}

/* The credit of a peer that does not keep up stays at two beats' worth: it will not catch up by a burst. */
static void beat(void *arg)
{
    struct stream *stream = arg;
    uint64_t earned = stream->server->options.rate * BEAT_MS;
    stream->credit += earned;
    if (stream->credit > 2 * earned)
        stream->credit = 2 * earned;
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
    else if (paced(stream))
        error = start_beat(stream);
    else
        advance(stream);
    return error;
}

static void free_stream(void *context)
{
    struct stream *stream = context;
    ferry_file_unref(stream->file);
    free(stream);
}

static void on_open(ferry_conn *conn, void *arg)
{
    struct server *server = arg;
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        complain("serve", "no memory for another connection");
        ferry_abort(conn);
        return;
    }
    stream->server = server;
    stream->conn = conn;
    ferry_conn_set_context(conn, stream, free_stream);
    if (ferry_conn_peer(conn, stream->peer, sizeof stream->peer) <= 0)
        snprintf(stream->peer, sizeof stream->peer, "a client");
    int error = start(stream);
    if (error != 0)
        give_up(stream, error);
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

static void report(const struct stream *stream, const ferry_stats *stats, int reason)
{
    char size[UNIT_TEXT];
    print_size(size, (double)stats->written);
    if (reason == 0)
        complain("serve", "%s: sent %s", stream->peer, size);
    else
        complain("serve", "%s: %s after %s", stream->peer, ferry_strerror(reason), size);
}

static void on_close(ferry_conn *conn, int reason, void *arg)
{
    struct server *server = arg;
    struct stream *stream = ferry_conn_context(conn);
    ferry_stats stats;
    if (stream == NULL)
        return;
    ferry_conn_stats(conn, &stats);
    if (reason == -ECANCELED && stats.acknowledged < stream->size)
        atomic_fetch_add(&server->cut, 1);
    if (!server->options.quiet)
        report(stream, &stats, reason);
    stop_beat(stream);
}

ferry_service stream_service(struct server *server)
{
    return (ferry_service){
        .arg = server,
        .on_open = on_open,
        .on_drain = on_drain,
        .on_eof = on_eof,
        .on_close = on_close,
        .socket.keepalive_s = KEEPALIVE_S,
    };
}
