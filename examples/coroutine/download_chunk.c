/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: by pieces, each read when the one before it is in the kernel, so
 * a connection costs one piece, whatever the size of the file. The open FILE is a local variable, and is closed behind
 * the loop that reads it.
 *
 *   $ ./download_chunk FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

#include <stdio.h>
#include <sys/stat.h>

enum { PIECE = 64 << 10, STACK = PIECE + (64 << 10) }; /* the piece lies on the coroutine's stack */

/* Nothing more could be read: is that the end of the file, or an error, or a file cut short under our hands? */
static bool is_complete(FILE *file)
{
    struct stat now;
    return feof(file) && fstat(fileno(file), &now) == 0 && ftello(file) <= now.st_size;
}

static void send_pieces(ferry_conn *conn, FILE *file)
{
    char piece[PIECE];
    size_t got;
    while (ferry_flush(conn) == 0 && (got = fread(piece, 1, sizeof piece, file)) > 0)
        ferry_send(conn, piece, got);
    if (is_complete(file))
        ferry_shutdown(conn);
    else
        ferry_abort(conn); /* a FIN would pass the part for the whole */
}

/* Until the client ends, too; what it has to say is ignored. */
static void wait_end(ferry_conn *conn)
{
    char ignored[512];
    while (ferry_recv(conn, ignored, sizeof ignored) > 0)
        ;
}

static void send_file(ferry_conn *conn, void *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        ferry_abort(conn);
        return;
    }
    send_pieces(conn, file);
    fclose(file);
    wait_end(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2021", .operand = "FILE"});
    /* What cannot be served is refused now, not at the first connection. */
    ferry_file_unref(example_open(flags.operand));
    ferry_service service = {.name = "download", .arg = flags.operand, .serve = send_file, .stack_size = STACK};
    return example_serve(&flags, &service);
}
