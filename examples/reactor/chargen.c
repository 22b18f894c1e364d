/* SPDX-License-Identifier: MIT
 *
 * Character generator (RFC 864): an endless pattern. The idea: on_drain asks for more once all that was sent is in the
 * kernel, so a stream without an end goes as fast as its reader, and never more than one round of it is queued.
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

static void send_pattern(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_send(conn, pattern, sizeof pattern);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2019"});
    ferry_service service = {.on_open = send_pattern, .on_drain = send_pattern};
    draw_pattern();
    return example_serve(&flags, &service);
}
