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
#include <errno.h>

static relay_flags flags;

/* One direction. */
struct way {
    ferry_conn *from, *to;
};

/* Copying: ferry_send() parks while too much is queued; meanwhile nobody reads, and the sender is held back. Each returns
 * 0 at the end of the input, or -errno. */
static ssize_t copy(ferry_conn *from, ferry_conn *to)
{
    const void *data;
    ssize_t len;
    while ((len = ferry_peek(from, &data)) > 0) {
        ferry_send(to, data, (size_t)len);
        ferry_consume(from, (size_t)len);
    }
    return len;
}

static ssize_t splice(ferry_conn *from, ferry_conn *to)
{
    char none;
    int error = ferry_forward(from, to);
    return error < 0 ? error : ferry_recv(from, &none, sizeof none); /* parks until all has been forwarded */
}

static void pump(void *arg)
{
    const struct way *way = arg;
    ssize_t end = flags.copy ? copy(way->from, way->to) : splice(way->from, way->to);
    if (end == 0)
        ferry_shutdown(way->to);
    else
        ferry_abort(way->to);
}

static void pump_both_ways(ferry_conn *client, ferry_conn *target)
{
    struct way there = {client, target}, back = {target, client};
    ferry_co *pumping_back = ferry_spawn_as(ferry_conn_loop(client), pump, &back,
                                            &(ferry_spawn_options){.name = "relay back", .serving = true});
    if (!pumping_back) {
        ferry_abort(client);
        ferry_abort(target);
        return;
    }
    pump(&there);
    while (ferry_join(pumping_back) < 0)
        ferry_cancel(pumping_back); /* as we were; it uses our stack, so it is waited for all the same */
}

/* Whoever has seen an end has seen it all: what was cut on one side must not look complete on the other. A reset is told
 * at once here, also while nobody reads from that connection. */
static void part(ferry_conn *conn, int reason, void *arg)
{
    (void)arg;
    if (reason < 0 && ferry_conn_context(conn))
        ferry_abort(ferry_conn_context(conn));
}

/* Each is the other's context. A pool that stops does not take it for idle: in the middle of a stream there are moments
 * when nothing is queued. */
static void pair(ferry_conn *conn, ferry_conn *other)
{
    ferry_conn_set_context(conn, other, NULL);
    ferry_conn_set_busy(conn, other != NULL);
}

static const ferry_service ends = {.on_close = part, .high_water = RELAY_HIGH_WATER, .linger_ms = RELAY_LINGER_MS};

/* What a client sends before there is a target waits where it is, in the kernel. */
static void relay(ferry_conn *client, void *arg)
{
    (void)arg;
    ferry_conn *target = ferry_dial_as(flags.target, 0, &ends);
    if (!target) {
        warnx("cannot reach %s: %s", flags.target, ferry_strerror(-errno));
        ferry_abort(client);
        return;
    }
    pair(client, target);
    pair(target, client);
    pump_both_ways(client, target);
    pair(client, NULL);
    pair(target, NULL);
    ferry_close(target);
    ferry_conn_unref(target);
}

int main(int argc, char **argv)
{
    flags = relay_parse(argc, argv);
    ferry_service service = ends;
    service.name = "relay";
    service.serve = relay;
    return example_serve(&flags.common, &service);
}
