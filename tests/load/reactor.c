/* SPDX-License-Identifier: MIT
 *
 * The services of service.h by callbacks. The time for a line is a timer, which is the connection's context while it
 * runs.
 */
#include "service.h"

#include <string.h>

static void opened(ferry_conn *conn, void *load)
{
    (void)conn;
    load_opened(load);
}

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *load)
{
    (void)load;
    ferry_send(conn, data, len);
    return len;
}

static void send_file(ferry_conn *conn, void *load)
{
    load_opened(load);
    load_send_file(conn, load);
    ferry_close(conn);
}

static void stop_clock(ferry_conn *conn)
{
    ferry_timer_cancel(ferry_conn_context(conn));
    ferry_conn_set_context(conn, NULL, NULL);
}

static void too_late(void *conn)
{
    ferry_conn_set_context(conn, NULL, NULL);
    ferry_abort(conn);
}

static void await_line(ferry_conn *conn, void *arg)
{
    struct load *load = arg;
    load_opened(load);
    if (load->deadline_ms == 0)
        return;
    ferry_timer *clock = ferry_after(ferry_conn_loop(conn), load->deadline_ms, too_late, conn);
    if (clock)
        ferry_conn_set_context(conn, clock, NULL);
    else
        ferry_abort(conn);
}

static size_t answer(ferry_conn *conn, const void *data, size_t len, void *load)
{
    (void)load;
    const char *end = memchr(data, '\n', len);
    if (!end)
        return 0;
    stop_clock(conn);
    ferry_send(conn, data, (size_t)(end + 1 - (const char *)data));
    ferry_close(conn);
    return len;
}

static void line_closed(ferry_conn *conn, int reason, void *load)
{
    stop_clock(conn);
    load_closed(conn, reason, load);
}

const struct services reactor_services = {
    .echo = {.on_open = opened, .on_data = echo},
    .file = {.on_open = send_file},
    .line = {.on_open = await_line, .on_data = answer, .on_close = line_closed},
};
