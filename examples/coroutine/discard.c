/* SPDX-License-Identifier: MIT
 *
 * Discard (RFC 863): reads and throws away. The idea: ferry_recv() parks until there is something, and says 0 at the end.
 *
 *   $ ./discard &
 *   $ nc -N 127.0.0.1 2009 < /etc/services
 */
#include "example.h"

static void discard(ferry_conn *conn, void *arg)
{
    (void)arg;
    char data[16 << 10]; /* on the coroutine's own stack, of 64 KiB unless the service asks for more */
    while (ferry_recv(conn, data, sizeof data) > 0)
        ;
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2009"});
    ferry_service service = {.name = "discard", .serve = discard};
    return example_serve(&flags, &service);
}
