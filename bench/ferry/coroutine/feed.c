/* SPDX-License-Identifier: MIT
 *
 * bench: one connection fed by threads. The first byte that comes says by how many; the end of the connection stops them.
 */
#include "example.h"
#include "feeders.h"

static void serve(ferry_conn *conn, void *arg)
{
    (void)arg;
    char count, ignored;
    if (ferry_recv_exact(conn, &count, 1) != 1)
        return;
    feeders *all = feeders_start(conn, count);
    while (ferry_recv(conn, &ignored, 1) > 0)
        ;
    feeders_stop(all);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.name = "feed", .serve = serve};
    return example_serve(&flags, &service);
}
