/* SPDX-License-Identifier: MIT
 *
 * server: the coroutine style. A connection that opens gets a coroutine, which runs the user's `serve`; when that returns
 * the connection is closed in order.
 */
#include "co/straight.h"
#include "server/service.h"

#include <errno.h>

static struct fy_service *service_of(const ferry_conn *conn)
{
    return (struct fy_service *)conn->driver;
}

static void serve(void *arg)
{
    ferry_conn *conn = arg;
    const ferry_service *user = &service_of(conn)->user;
    user->serve(conn, user->arg);
    ferry_close(conn);
    ferry_conn_unref(conn);
}

static void on_open(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    struct fy_straight *s = fy_straight_of(conn);
    conn->unwanted = true;
    if (s->dialer) {
        fy_co_wake(s->dialer, 1);
        return;
    }
    const ferry_spawn_options options = {.name = user->name, .stack_size = user->stack_size};
    struct fy_co *co = fy_co_start(conn->loop, serve, ferry_conn_ref(conn), &options);
    if (!co) {
        ferry_conn_unref(conn);
        fy_conn_fail(conn, -ENOMEM);
        return;
    }
    co->serving = true;
    fy_co_resume(co, 0);
}

/* The end may come before the coroutine's, which keeps a reference, and after it. */
static void on_close(ferry_conn *conn, int reason)
{
    struct fy_service *service = service_of(conn);
    fy_straight_close(conn);
    if (service->user.on_close)
        service->user.on_close(conn, reason, service->user.arg);
    service->gone(service, conn->tag);
}

/* The marks are for whoever waits for them (conn/conn.h: struct fy_waiter); nobody else is told. */
static void on_level(ferry_conn *conn, size_t pending)
{
    (void)conn;
    (void)pending;
}

const struct fy_observer fy_coroutine = {
    .soon = fy_straight_soon,
    .open = on_open,
    .data = fy_straight_data,
    .eof = fy_straight_eof,
    .closing = fy_straight_eof,
    .high = on_level,
    .low = on_level,
    .close = on_close,
};
