/* SPDX-License-Identifier: MIT
 *
 * Roundtrip, the client: how long an answer takes, and how far the server's clock is from ours. The idea: one thing after
 * the other, in callbacks: the answer arms the timer, the timer asks the next question.
 *
 *   $ ./roundtrip &
 *   $ ./roundtrip_client 127.0.0.1:2012
 */
#include "roundtrip.h"

#include <errno.h>

struct asker {
    struct roundtrip trip;
    ferry_conn *conn;
    ferry_timer *timer; /* of the next question; NULL while there is one */
};

static void ask(void *arg)
{
    struct asker *asker = arg;
    unsigned char message[CLOCK_MESSAGE_SIZE];
    asker->timer = NULL;
    roundtrip_ask(&asker->trip, message);
    ferry_send(asker->conn, message, sizeof message);
}

static void begin(ferry_conn *conn, void *arg)
{
    struct asker *asker = arg;
    asker->conn = conn;
    ask(asker);
}

static void ask_later(struct asker *asker)
{
    asker->timer = ferry_after(ferry_conn_loop(asker->conn), asker->trip.interval_ms, ask, asker);
    if (!asker->timer)
        client_fail(&asker->trip.client, "no timer for the next question: %s", ferry_strerror(-errno));
}

static size_t take(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct asker *asker = arg;
    if (len < CLOCK_MESSAGE_SIZE)
        return 0;
    if (roundtrip_take(&asker->trip, data))
        ask_later(asker);
    else
        ferry_close(conn);
    return CLOCK_MESSAGE_SIZE;
}

static void end(ferry_conn *conn, void *arg)
{
    struct asker *asker = arg;
    roundtrip_end(&asker->trip);
    ferry_close(conn);
}

static void forget(ferry_conn *conn, int reason, void *arg)
{
    struct asker *asker = arg;
    (void)conn;
    ferry_timer_cancel(asker->timer);
    roundtrip_break(&asker->trip, reason);
}

int main(int argc, char **argv)
{
    struct asker asker = {0};
    roundtrip_init(&asker.trip, argc, argv);
    ferry_service service = {
        .arg = &asker,
        .on_open = begin,
        .on_data = take,
        .on_eof = end,
        .on_close = forget,
        .idle_timeout_ms = (unsigned)(asker.trip.interval_ms + asker.trip.client.patience_s * 1000),
    };
    client_connect(&asker.trip.client, 0, &service);
    return roundtrip_run(&asker.trip);
}
