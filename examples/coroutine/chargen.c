/* SPDX-License-Identifier: MIT
 *
 * Character generator (RFC 864): an endless pattern. The idea: a connection has two directions, and a straight line goes in
 * one of them. One coroutine sends, and ferry_flush() parks it until all that was sent is in the kernel, so a stream
 * without an end goes as fast as its reader; the other reads, and so sees the client's end.
 *
 *   $ ./chargen &
 *   $ nc 127.0.0.1 2019 | head
 */
#include "example.h"

enum { FIRST = ' ', GLYPHS = '~' - ' ' + 1, WIDTH = 72, LINE = WIDTH + 2 };

/* One round of the pattern: each printing character begins one line. */
static char pattern[GLYPHS * LINE];

static void draw_pattern(void)
{
    char *out = pattern;
    for (int line = 0; line < GLYPHS; line++) {
        for (int column = 0; column < WIDTH; column++)
            *out++ = (char)(FIRST + (line + column) % GLYPHS);
        *out++ = '\r';
        *out++ = '\n';
    }
}

static void send_pattern(void *arg)
{
    ferry_conn *conn = arg;
    while (ferry_flush(conn) == 0)
        ferry_send(conn, pattern, sizeof pattern);
    ferry_conn_unref(conn);
}

static void chargen(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_co *sender = ferry_spawn(ferry_conn_loop(conn), send_pattern, ferry_conn_ref(conn));
    if (!sender) {
        ferry_conn_unref(conn);
        return;
    }
    char ignored[512];
    while (ferry_recv(conn, ignored, sizeof ignored) > 0)
        ;
    ferry_cancel(sender);
    ferry_join(sender);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2019"});
    ferry_service service = {.name = "chargen", .serve = chargen};
    draw_pattern();
    return example_serve(&flags, &service);
}
