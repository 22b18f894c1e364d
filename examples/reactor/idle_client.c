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

static void open_next(ferry_conn *conn, void *arg)
{
    (void)conn;
    idle_open(arg);
}

static void end(ferry_conn *conn, void *arg)
{
    struct idle_conn *idle = arg;
    idle->ended = true;
    ferry_close(conn);
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
    idle.service = (ferry_service){.on_open = open_next, .on_eof = end, .on_close = leave};
    return idle_run(&idle);
}
