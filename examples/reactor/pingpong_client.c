/* SPDX-License-Identifier: MIT
 *
 * Ping-pong, the client of the classic throughput test: each session sends one block, and returns whatever arrives, for
 * some seconds. The idea: a timer beside a connection. It is the connection's context as long as the time runs; when it
 * fires the session half-closes, so that what is still under way comes back, and every byte is accounted for.
 *
 *   $ ./pingpong &
 *   $ ./pingpong_client 127.0.0.1:2010 --sessions 100 --seconds 5
 */
#include "pingpong.h"

#include <errno.h>

static void finish(void *arg)
{
    ferry_conn *conn = arg;
    ferry_conn_set_context(conn, NULL, NULL);
    ferry_shutdown(conn);
}

static void send_bytes(ferry_conn *conn, const void *data, size_t len, struct pingpong_session *session)
{
    session->sent += len;
    ferry_send(conn, data, len);
}

static void begin(ferry_conn *conn, void *arg)
{
    struct pingpong_session *session = arg;
    struct pingpong *test = session->test;
    ferry_timer *timer = ferry_after(ferry_conn_loop(conn), test->seconds * 1000, finish, conn);
    if (!timer)
        client_fail(&test->client, "no timer for a session: %s", ferry_strerror(-errno));
    ferry_conn_set_context(conn, timer, NULL);
    send_bytes(conn, test->block, test->size, session);
}

static size_t pass_back(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct pingpong_session *session = arg;
    session->received += len;
    session->reads++;
    if (ferry_conn_context(conn))
        send_bytes(conn, data, len, session);
    return len;
}

static void end(ferry_conn *conn, void *arg)
{
    struct pingpong_session *session = arg;
    session->ended = true;
    ferry_close(conn);
}

static void judge(ferry_conn *conn, int reason, void *arg)
{
    struct pingpong_session *session = arg;
    session->over = !ferry_conn_context(conn);
    ferry_timer_cancel(ferry_conn_context(conn));
    pingpong_judge(session, reason);
}

int main(int argc, char **argv)
{
    struct pingpong test;
    pingpong_init(&test, argc, argv);
    ferry_service service = {
        .on_open = begin,
        .on_data = pass_back,
        .on_eof = end,
        .on_close = judge,
        .idle_timeout_ms = (unsigned)test.client.patience_s * 1000,
    };
    for (unsigned long i = 0; i < test.count; i++) {
        service.arg = &test.sessions[i];
        client_connect(&test.client, i, &service);
    }
    return pingpong_run(&test);
}
