/* SPDX-License-Identifier: MIT
 *
 * bench: one connection fed by threads. The first byte that comes says by how many; the end of the connection stops them.
 */
#include "example.h"
#include "feeders.h"

static size_t start(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    if (!ferry_conn_context(conn))
        ferry_conn_set_context(conn, feeders_start(conn, *(const char *)data), NULL);
    return len;
}

static void stop(ferry_conn *conn, int reason, void *arg)
{
    (void)reason, (void)arg;
    if (ferry_conn_context(conn))
        feeders_stop(ferry_conn_context(conn));
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.on_data = start, .on_close = stop};
    return example_serve(&flags, &service);
}
