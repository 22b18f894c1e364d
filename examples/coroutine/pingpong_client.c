/* SPDX-License-Identifier: MIT
 *
 * Ping-pong, the client of the classic throughput test: each session sends one block, and returns whatever arrives, for
 * some seconds. The idea: a deadline on a connection. When it passes, waiting for more fails, and nothing else does: the
 * session half-closes, so that what is still under way comes back, and every byte is accounted for.
 *
 *   $ ./pingpong &
 *   $ ./pingpong_client 127.0.0.1:2010 --sessions 100 --seconds 5
 */
#include "pingpong.h"

#include <errno.h>

static void send_bytes(ferry_conn *conn, const void *data, size_t len, struct pingpong_session *session)
{
    session->sent += len;
    ferry_send(conn, data, len);
}

/* What has come, in *data; counted. As ferry_peek(). */
static ssize_t receive(ferry_conn *conn, const void **data, struct pingpong_session *session)
{
    ssize_t len = ferry_peek(conn, data);
    if (len > 0) {
        session->received += (uint64_t)len;
        session->reads++;
    }
    return len;
}

/* Until the time is up: -ETIMEDOUT; before that the server's end: 0, or why not. */
static ssize_t pass_back(ferry_conn *conn, struct pingpong_session *session)
{
    const void *data;
    ssize_t len;
    ferry_conn_set_deadline(conn, session->test->seconds * 1000);
    while ((len = receive(conn, &data, session)) > 0) {
        send_bytes(conn, data, (size_t)len, session);
        ferry_consume(conn, (size_t)len);
    }
    ferry_conn_set_deadline(conn, 0);
    return len;
}

static ssize_t finish(ferry_conn *conn, struct pingpong_session *session)
{
    const void *data;
    ssize_t len;
    ferry_shutdown(conn);
    while ((len = receive(conn, &data, session)) > 0)
        ferry_consume(conn, (size_t)len);
    return len;
}

static void play(ferry_conn *conn, void *arg)
{
    struct pingpong_session *session = arg;
    send_bytes(conn, session->test->block, session->test->size, session);
    ssize_t result = pass_back(conn, session);
    session->over = result == -ETIMEDOUT;
    if (session->over)
        result = finish(conn, session);
    session->ended = result == 0;
    pingpong_judge(session, ferry_conn_error(conn));
}

/* What has never been open has not been played. */
static void judge(ferry_conn *conn, int reason, void *arg)
{
    struct pingpong_session *session = arg;
    (void)conn;
    if (session->sent == 0)
        pingpong_judge(session, reason);
}

int main(int argc, char **argv)
{
    struct pingpong test;
    pingpong_init(&test, argc, argv);
    ferry_service service = {
        .name = "session",
        .serve = play,
        .on_close = judge,
        .idle_timeout_ms = (unsigned)test.client.patience_s * 1000,
        .high_water = test.size, /* no more than that is ever under way: so ferry_send() parks nobody */
    };
    for (unsigned long i = 0; i < test.count; i++) {
        service.arg = &test.sessions[i];
        client_connect(&test.client, i, &service);
    }
    return pingpong_run(&test);
}
