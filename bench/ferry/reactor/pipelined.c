/* SPDX-License-Identifier: MIT
 *
 * bench: messages of 64 bytes, each answered by a send of its own, however many came together.
 */
#include "example.h"

enum { MESSAGE = 64 };

static size_t answer(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    size_t done = 0;
    for (; done + MESSAGE <= len; done += MESSAGE)
        ferry_send(conn, (const char *)data + done, MESSAGE);
    return done;
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.on_data = answer};
    return example_serve(&flags, &service);
}
