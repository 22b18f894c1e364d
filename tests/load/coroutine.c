/* SPDX-License-Identifier: MIT
 *
 * The services of service.h by coroutines. Who does not read has his echo parked in ferry_send().
 */
#include "service.h"

static void echo(ferry_conn *conn, void *load)
{
    const void *data;
    ssize_t len;
    load_opened(load);
    while ((len = ferry_peek(conn, &data)) > 0) {
        ferry_send(conn, data, (size_t)len);
        ferry_consume(conn, (size_t)len);
    }
}

static void send_file(ferry_conn *conn, void *load)
{
    load_opened(load);
    load_send_file(conn, load);
}

static void answer(ferry_conn *conn, void *arg)
{
    struct load *load = arg;
    char line[LINE_MAX_BYTES];
    load_opened(load);
    ferry_conn_set_deadline(conn, load->deadline_ms);
    ssize_t len = ferry_recv_until(conn, line, sizeof line, "\n");
    if (len > 0)
        ferry_send(conn, line, (size_t)len);
    else if (len < 0)
        ferry_abort(conn);
}

const struct services coroutine_services = {
    .echo = {.serve = echo, .name = "echo"},
    .file = {.serve = send_file, .name = "file"},
    .line = {.serve = answer, .name = "line"},
};
