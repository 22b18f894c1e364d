/* SPDX-License-Identifier: MIT
 *
 * bench: what one connection says goes to all, as one blob.
 */
#include "example.h"
#include "room.h"

static void serve(ferry_conn *conn, void *arg)
{
    (void)arg;
    const void *data;
    ssize_t len;
    room_enter(conn);
    while ((len = ferry_peek(conn, &data)) > 0) {
        room_say(data, (size_t)len);
        ferry_consume(conn, (size_t)len);
    }
    room_leave(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.name = "broadcast", .serve = serve};
    return example_serve(&flags, &service);
}
