/* SPDX-License-Identifier: MIT
 *
 * Idle: keeps connections that say nothing, and resets those that are silent for too long. The idea: a connection that
 * does nothing costs little more than its struct, and the time limit is an option, not a timer to be armed for each.
 * What it did cost is printed at the end.
 *
 *   $ ./idle --seconds 10 &
 *   $ ./idle_client 127.0.0.1:2014 --connections 10000
 *   $ kill %1
 */
#include "census.h"
#include "descriptors.h"
#include "example.h"

#include <stdlib.h>

static void enter(ferry_conn *conn, void *census)
{
    (void)conn;
    census_enter(census);
}

static void leave(ferry_conn *conn, int reason, void *census)
{
    (void)conn, (void)reason;
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
    /* Without on_data, what a client says is thrown away; but it has said something. */
    ferry_service service = {
        .arg = &census,
        .on_open = enter,
        .on_close = leave,
        .idle_timeout_ms = (unsigned)seconds * 1000,
    };
    int status = example_serve(&flags, &service);
    if (status == EXIT_SUCCESS)
        census_print(&census);
    return status;
}
