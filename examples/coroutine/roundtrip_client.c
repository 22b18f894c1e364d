/* SPDX-License-Identifier: MIT
 *
 * Roundtrip, the client: how long an answer takes, and how far the server's clock is from ours. The idea: one thing after
 * the other, in a straight line: ask, take the answer, sleep.
 *
 *   $ ./roundtrip &
 *   $ ./roundtrip_client 127.0.0.1:2012
 */
#include "roundtrip.h"

static void ask(ferry_conn *conn, void *arg)
{
    struct roundtrip *trip = arg;
    unsigned char message[CLOCK_MESSAGE_SIZE];
    ssize_t len;
    do {
        roundtrip_ask(trip, message);
        ferry_send(conn, message, sizeof message);
        len = ferry_recv_exact(conn, message, sizeof message);
    } while (len == sizeof message && roundtrip_take(trip, message) && ferry_sleep(trip->interval_ms) == 0);
    if (len >= 0 && len < CLOCK_MESSAGE_SIZE)
        roundtrip_end(trip);
}

static void forget(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    roundtrip_break(arg, reason);
}

int main(int argc, char **argv)
{
    struct roundtrip trip;
    roundtrip_init(&trip, argc, argv);
    ferry_service service = {
        .name = "roundtrip",
        .arg = &trip,
        .serve = ask,
        .on_close = forget,
        .idle_timeout_ms = (unsigned)(trip.interval_ms + trip.client.patience_s * 1000),
    };
    client_connect(&trip.client, 0, &service);
    return roundtrip_run(&trip);
}
