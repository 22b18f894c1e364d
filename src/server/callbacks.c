/* SPDX-License-Identifier: MIT
 *
 * server: the reactor style. What the connection observes goes to the user's callbacks; what he left out has a default.
 */
#include "server/service.h"

static struct fy_service *service_of(const ferry_conn *conn)
{
    return (struct fy_service *)conn->driver;
}

static void on_open(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    if (user->on_open)
        user->on_open(conn, user->arg);
}

static size_t on_data(ferry_conn *conn, const void *data, size_t len)
{
    const ferry_service *user = &service_of(conn)->user;
    return user->on_data ? user->on_data(conn, data, len, user->arg) : len;
}

static void on_eof(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    if (user->on_eof)
        user->on_eof(conn, user->arg);
    else
        ferry_close(conn);
}

static void on_drain(ferry_conn *conn)
{
    const ferry_service *user = &service_of(conn)->user;
    user->on_drain(conn, user->arg);
}

static void on_high(ferry_conn *conn, size_t pending)
{
    const ferry_service *user = &service_of(conn)->user;
    user->on_high_water(conn, pending, user->arg);
}

static void on_low(ferry_conn *conn, size_t pending)
{
    const ferry_service *user = &service_of(conn)->user;
    if (user->on_low_water)
        user->on_low_water(conn, pending, user->arg);
}

static void on_close(ferry_conn *conn, int reason)
{
    struct fy_service *service = service_of(conn);
    if (service->user.on_close)
        service->user.on_close(conn, reason, service->user.arg);
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
