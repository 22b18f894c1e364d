/* SPDX-License-Identifier: MIT
 *
 * bench: closes each connection as soon as it is there: its coroutine returns.
 */
#include "example.h"

static void leave(ferry_conn *conn, void *arg)
{
    (void)conn, (void)arg;
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.name = "leave", .serve = leave};
    return example_serve(&flags, &service);
}
