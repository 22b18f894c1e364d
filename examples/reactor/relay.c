/* SPDX-License-Identifier: MIT
 *
 * Relay: for each client a connection to TARGET, and each of the two pumped into the other. The idea: two connections that
 * are one. What one receives goes to the other, at the pace of whoever reads it: TCP holds the sender on the far side back.
 * An end of file becomes an end of file on the other side, and a reset a reset. The kernel moves the bytes, by
 * ferry_forward(); what that takes off one's hands is shown by --by copy.
 *
 *   $ ./relay example.org:80 &
 *   $ curl -H 'Host: example.org' http://127.0.0.1:2100/
 */
#include "relay.h"

#include <err.h>

static relay_flags flags;

/* Copying: what comes from one is sent to the other, and when too much of it is queued there, no more is read. */

static size_t pass_on(ferry_conn *from, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(ferry_conn_context(from), data, len);
    return len;
}

static void hold_sender_back(ferry_conn *to, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_pause(ferry_conn_context(to));
}

static void let_sender_on(ferry_conn *to, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_resume(ferry_conn_context(to));
}

/* The ends. */

static void pass_end_on(ferry_conn *from, void *arg)
{
    (void)arg;
    ferry_shutdown(ferry_conn_context(from));
}

/* Whoever has seen an end has seen it all: what was cut on one side must not look complete on the other. */
static void part(ferry_conn *conn, int reason, void *arg)
{
    (void)arg;
    if (reason < 0 && ferry_conn_context(conn))
        ferry_abort(ferry_conn_context(conn));
    ferry_conn_set_context(conn, NULL, NULL); /* each holds the other, until one lets go */
}

static void cannot_reach(int reason, ferry_conn *client)
{
    warnx("cannot reach %s: %s", flags.target, ferry_strerror(reason));
    ferry_abort(client);
}

static void part_from_client(ferry_conn *target, int reason, void *client)
{
    if (!ferry_conn_context(target))
        cannot_reach(reason, client);
    part(target, reason, NULL);
    ferry_conn_unref(client);
}

/* The beginning. */

static void let_go(void *conn)
{
    ferry_conn_unref(conn);
}

/* Each is the other's context. A pool that stops does not take it for idle: in the middle of a stream there are moments
 * when nothing is queued. */
static void pair(ferry_conn *conn, ferry_conn *other)
{
    ferry_conn_set_context(conn, ferry_conn_ref(other), let_go);
    ferry_conn_set_busy(conn, true);
}

static void meet(ferry_conn *target, void *client)
{
    pair(target, client);
    pair(client, target);
    bool gone = ferry_conn_error(client) < 0; /* while we were connecting */
    if (gone || (!flags.copy && (ferry_forward(client, target) < 0 || ferry_forward(target, client) < 0)))
        ferry_abort(target);
    ferry_conn_resume(client);
}

static const ferry_service ends = {
    .on_data = pass_on,
    .on_eof = pass_end_on,
    .on_high_water = hold_sender_back,
    .on_low_water = let_sender_on,
    .high_water = RELAY_HIGH_WATER,
    .linger_ms = RELAY_LINGER_MS,
};

/* What a client sends before there is a target waits where it is, in the kernel. */
static void reach_target(ferry_conn *client, void *arg)
{
    (void)arg;
    const ferry_connect_options once = {.attempts = 1};
    ferry_service service = ends;
    service.on_open = meet;
    service.on_close = part_from_client;
    service.arg = ferry_conn_ref(client);
    ferry_conn_pause(client);
    ferry_conn_set_busy(client, true);
    int error = ferry_connect(ferry_conn_loop(client), flags.target, &service, &once);
    if (error < 0) {
        cannot_reach(error, client);
        ferry_conn_unref(client);
    }
}

int main(int argc, char **argv)
{
    flags = relay_parse(argc, argv);
    ferry_service service = ends;
    service.on_open = reach_target;
    service.on_close = part;
    return example_serve(&flags.common, &service);
}
