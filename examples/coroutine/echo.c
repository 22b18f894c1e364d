/* SPDX-License-Identifier: MIT
 *
 * Echo (RFC 862): sends back what came. The idea: a connection in a straight line. ferry_send() parks this coroutine when
 * too much is queued for a client that does not read; meanwhile nobody reads from it, and TCP stops the client in turn.
 * ferry_peek() lends the bytes where they are, so that a client that says nothing costs no buffer.
 *
 *   $ ./echo &
 *   $ nc -N 127.0.0.1 2007 < /etc/services
 */
#include "example.h"

/* A client may send this much before it reads the first byte back; beyond it, the client waits. */
enum { HIGH_WATER = 8 << 20 };

static void echo(ferry_conn *conn, void *arg)
{
    (void)arg;
    const void *data;
    ssize_t len;
    while ((len = ferry_peek(conn, &data)) > 0) {
        ferry_send(conn, data, (size_t)len);
        ferry_consume(conn, (size_t)len);
    }
    /* The client has sent all it had, and still wants the rest of it back: returning closes behind the last byte. */
    ferry_flush(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2007"});
    ferry_service service = {.name = "echo", .serve = echo, .high_water = HIGH_WATER};
    return example_serve(&flags, &service);
}
