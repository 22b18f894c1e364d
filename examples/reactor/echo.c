/* SPDX-License-Identifier: MIT
 *
 * Echo (RFC 862): sends back what came. The idea: a sender that never waits needs a reader that does. When too much is
 * queued for a client that does not read, we stop reading from it, and TCP stops the client in turn.
 *
 *   $ ./echo &
 *   $ nc -N 127.0.0.1 2007 < /etc/services
 */
#include "example.h"

/* A client may send this much before it reads the first byte back; beyond it, the client waits. */
enum { HIGH_WATER = 8 << 20 };

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void stop_reading(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_pause(conn);
}

static void read_on(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_resume(conn);
}

/* The client has sent all it had, and still wants the rest of it back: FIN goes out behind the last byte. */
static void finish(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_shutdown(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2007"});
    ferry_service service = {
        .on_data = echo,
        .on_eof = finish,
        .on_high_water = stop_reading,
        .on_low_water = read_on,
        .high_water = HIGH_WATER,
    };
    return example_serve(&flags, &service);
}
