/* SPDX-License-Identifier: MIT
 *
 * bench: messages of 64 bytes, each answered by a send of its own, however many came together.
 */
#include "example.h"

enum { MESSAGE = 64 };

static void answer(ferry_conn *conn, void *arg)
{
    (void)arg;
    char message[MESSAGE];
    while (ferry_recv_exact(conn, message, MESSAGE) == MESSAGE)
        ferry_send(conn, message, MESSAGE);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.name = "answer", .serve = answer};
    return example_serve(&flags, &service);
}
