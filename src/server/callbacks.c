/* SPDX-License-Identifier: MIT
 *
 * server: the reactor style. What the connection observes goes to the user's callbacks; what he left out has a default.
 */
#include "server/service.h"

static struct fy_service *service_of(const ferry_conn *conn)
{
    return (struct fy_service *)conn->driver;
}

static void does(ferry_conn *conn, const char *callback, uintptr_t function)
{
    fy_loop_does(conn->loop, callback, service_of(conn)->user.name, (const void *)function);
}

static void on_open(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    if (!user->on_open)
        return;
    does(conn, "on_open", (uintptr_t)user->on_open);
    user->on_open(conn, user->arg);
}

static size_t on_data(ferry_conn *conn, const void *data, size_t len)
{
    const ferry_service *user = &service_of(conn)->user;
    if (!user->on_data)
        return len;
    does(conn, "on_data", (uintptr_t)user->on_data);
    return user->on_data(conn, data, len, user->arg);
}

static void on_eof(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    if (!user->on_eof) {
        ferry_close(conn);
        return;
    }
    does(conn, "on_eof", (uintptr_t)user->on_eof);
    user->on_eof(conn, user->arg);
}

static void on_drain(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    does(conn, "on_drain", (uintptr_t)user->on_drain);
    user->on_drain(conn, user->arg);
}

static void on_high(ferry_conn *conn, size_t pending)
{
    const ferry_service *user = &service_of(conn)->user;
    does(conn, "on_high_water", (uintptr_t)user->on_high_water);
    user->on_high_water(conn, pending, user->arg);
}

static void on_low(ferry_conn *conn, size_t pending)
{
    const ferry_service *user = &service_of(conn)->user;
    if (!user->on_low_water)
        return;
    does(conn, "on_low_water", (uintptr_t)user->on_low_water);
    user->on_low_water(conn, pending, user->arg);
}

static void on_close(ferry_conn *conn, int reason)
{
    struct fy_service *service = service_of(conn);
    if (service->user.on_close) {
        does(conn, "on_close", (uintptr_t)service->user.on_close);
        service->user.on_close(conn, reason, service->user.arg);
    }
    service->gone(service, conn->tag);
}

const struct fy_observer fy_callbacks = {
    .open = on_open,
    .data = on_data,
    .eof = on_eof,
    .drain = on_drain,
    .high = on_high,
    .low = on_low,
    .close = on_close,
};
