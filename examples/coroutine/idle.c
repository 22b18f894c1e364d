/* SPDX-License-Identifier: MIT
 *
 * Idle: keeps connections that say nothing, and resets those that are silent for too long. The idea: a coroutine that does
 * nothing costs the pages of its stack that it has touched, so it waits in ferry_peek(), with no buffer; and the time
 * limit is an option, not a timer to be armed for each. What it did cost is printed at the end.
 *
 *   $ ./idle --seconds 10 &
 *   $ ./idle_client 127.0.0.1:2014 --connections 10000
 *   $ kill %1
 */
#include "census.h"
#include "descriptors.h"
#include "example.h"

#include <stdlib.h>

/* What a client says is thrown away; but it has said something. */
static void wait_end(ferry_conn *conn, void *census)
{
    const void *ignored;
    ssize_t len;
    census_enter(census);
    while ((len = ferry_peek(conn, &ignored)) > 0)
        ferry_consume(conn, (size_t)len);
    census_leave(census);
}

int main(int argc, char **argv)
{
    unsigned long seconds = 30;
    const example_flag own[] = {
        {"seconds", "S", "of silence before a connection is closed, 0 = none (default: 30)", &seconds, 0, 86400, NULL},
        {0},
    };
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2014", .flags = own});
    struct census census;
    census_init(&census);
    descriptors_raise();
    ferry_service service = {
        .name = "idle",
        .arg = &census,
        .serve = wait_end,
        .idle_timeout_ms = (unsigned)seconds * 1000,
    };
    int status = example_serve(&flags, &service);
    if (status == EXIT_SUCCESS)
        census_print(&census);
    return status;
}
