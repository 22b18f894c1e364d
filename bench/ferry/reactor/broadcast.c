/* SPDX-License-Identifier: MIT
 *
 * bench: what one connection says goes to all, as one blob.
 */
#include "example.h"
#include "room.h"

static void enter(ferry_conn *conn, void *arg)
{
    (void)arg;
    room_enter(conn);
}

static size_t say(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn, (void)arg;
    room_say(data, len);
    return len;
}

static void leave(ferry_conn *conn, int reason, void *arg)
{
    (void)reason, (void)arg;
    room_leave(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:0"});
    ferry_service service = {.on_open = enter, .on_data = say, .on_close = leave};
    return example_serve(&flags, &service);
}
