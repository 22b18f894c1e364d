/* SPDX-License-Identifier: MIT
 *
 * ferry serve: one connection's way through the file, as far as it is the same whoever drives it: what may be sent when,
 * giving up, and the account of it at the end.
 */
#include "serve.h"
#include "units.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t ns_per_ms = 1000000;

static void free_stream(void *context)
{
    struct stream *stream = context;
    ferry_file_unref(stream->file);
    free(stream);
}

struct stream *stream_new(ferry_conn *conn, struct server *server)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        complain("serve", "no memory for another connection");
        ferry_abort(conn);
        return NULL;
    }
    stream->server = server;
    stream->conn = conn;
    stream->earned = ferry_loop_now(ferry_conn_loop(conn));
    ferry_conn_set_context(conn, stream, free_stream);
    if (ferry_conn_peer(conn, stream->peer, sizeof stream->peer) <= 0 || strcmp(stream->peer, "unix:") == 0)
        snprintf(stream->peer, sizeof stream->peer, "a client");
    return stream;
}

void stream_give_up(const struct stream *stream, int error)
{
    if (ferry_conn_error(stream->conn) == 0) /* else it is known already, and on_close tells */
        complain("serve", "%s: %s: %s", stream->peer, stream->server->path, file_strerror(error));
    ferry_abort(stream->conn);
}

bool stream_is_paced(const struct stream *stream)
{
    return stream->server->options.rate > 0 && !stream->server->options.mode->paces_itself;
}

/* The credit of a peer that does not keep up stays at two beats' worth: it will not catch up by a burst. But a byte it
 * must be, or the slowest of all rates would never send one. */
void stream_earn(struct stream *stream)
{
    uint64_t rate = stream->server->options.rate;
    uint64_t most = 2 * BEAT_MS * rate > 1000 ? 2 * BEAT_MS * rate : 1000;
    uint64_t ms = (ferry_loop_now(ferry_conn_loop(stream->conn)) - stream->earned) / ns_per_ms;
    stream->earned += ms * ns_per_ms;
    stream->credit = ms < most / rate ? stream->credit + ms * rate : most;
    if (stream->credit > most)
        stream->credit = most;
}

uint64_t stream_allowance(const struct stream *stream)
{
    uint64_t most = stream->server->options.mode->piece;
    if (stream_is_paced(stream) && stream->credit / 1000 < most)
        most = stream->credit / 1000;
    uint64_t left = stream->size - stream->at;
    return left < most ? left : most;
}

int stream_send(struct stream *stream)
{
    uint64_t before = stream->at;
    int error = stream->server->options.mode->send(stream, stream_allowance(stream));
    if (stream_is_paced(stream))
        stream->credit -= 1000 * (stream->at - before);
    return error;
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
    ferry_timer_cancel(stream->beat);
}

/* One limit, for bytes that are on the way to a client, or that its window keeps back, and for one that has everything
 * and says no more: TCP then probes, and the kernel gives up by the same limit when a probe was not answered. */
static ferry_socket_options limits(unsigned timeout_ms)
{
    enum { LONGEST_S = 60 };
    unsigned probe_s = timeout_ms / 3000;
    if (probe_s < 1)
        probe_s = 1;
    if (probe_s > LONGEST_S)
        probe_s = LONGEST_S;
    return (ferry_socket_options){
        .user_timeout_ms = timeout_ms,
        .keepalive_s = probe_s,
        .keepalive_interval_s = probe_s,
    };
}

ferry_service stream_service(struct server *server)
{
    ferry_service service = {
        .arg = server,
        .on_close = on_close,
        .socket = limits(server->options.timeout_ms),
    };
    server->options.style->drive(&service);
    return service;
}
