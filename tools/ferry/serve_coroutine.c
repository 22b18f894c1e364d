/* SPDX-License-Identifier: MIT
 *
 * ferry serve: a connection driven by a coroutine, in straight lines: the same stream as in serve_reactor.c.
 *
 * It reads only when all is sent: a client that has much to say meanwhile is held back by TCP.
 */
#include "serve.h"

/* Parks until the piece before is in the kernel, and the rate allows another one. */
static int await_turn(struct stream *stream)
{
    int error = ferry_flush(stream->conn);
    while (error == 0 && stream_allowance(stream) == 0) {
        error = ferry_sleep(BEAT_MS);
        stream_earn(stream);
    }
    return error;
}

static int send_all(struct stream *stream)
{
    int error = stream->server->options.mode->begin(stream);
    while (error == 0 && stream->at < stream->size) {
        error = await_turn(stream);
        if (error == 0)
            error = stream_send(stream);
    }
    return error;
}

/* Parks until the client has ended, too, as long as it likes: it may still be reading. What it says is thrown away. */
static void await_end(ferry_conn *conn)
{
    const void *data;
    ssize_t n;
    while ((n = ferry_peek(conn, &data)) > 0)
        ferry_consume(conn, (size_t)n);
}

static void serve(ferry_conn *conn, void *arg)
{
    struct stream *stream = stream_new(conn, arg);
    if (stream == NULL)
        return;
    int error = send_all(stream);
    if (error != 0) {
        stream_give_up(stream, error);
        return;
    }
    ferry_shutdown(conn);
    await_end(conn);
}

static void drive(ferry_service *service)
{
    service->serve = serve;
    service->name = "ferry serve";
}

const struct style coroutine_style = {"coroutine", drive};
