/* SPDX-License-Identifier: MIT
 *
 * Idle, the client: opens many connections, says when all are open, and holds them until the server closes them or a signal
 * comes. The idea: a crowd needs no thread and no buffer for each; and each that opens lets the next one in, so that
 * not all knock at once.
 *
 *   $ ./idle --seconds 10 &
 *   $ ./idle_client 127.0.0.1:2014 --connections 10000
 */
#include "idle.h"

static void hold(ferry_conn *conn, void *arg)
{
    struct idle_conn *idle = arg;
    const void *ignored;
    ssize_t len;
    idle_open(idle);
    while ((len = ferry_peek(conn, &ignored)) > 0)
        ferry_consume(conn, (size_t)len);
    idle->ended = len == 0;
}

static void leave(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    idle_close(arg, reason);
}

int main(int argc, char **argv)
{
    struct idle idle;
    idle_init(&idle, argc, argv);
    idle.service = (ferry_service){.name = "idle", .serve = hold, .on_close = leave};
    return idle_run(&idle);
}
