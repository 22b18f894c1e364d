/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: by pieces, each read when the one before it is in the kernel, so
 * a connection costs one piece, whatever the size of the file. The open FILE is bound to its connection and is closed
 * with it.
 *
 *   $ ./download_chunk FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

#include <stdio.h>
#include <sys/stat.h>

enum { PIECE = 64 << 10 };

static void close_file(void *file)
{
    fclose(file);
}

/* Nothing more could be read: is that the end of the file, or an error, or a file cut short under our hands? */
static bool is_complete(FILE *file)
{
    struct stat now;
    return feof(file) && fstat(fileno(file), &now) == 0 && ftello(file) <= now.st_size;
}

static void send_piece(ferry_conn *conn, void *arg)
{
    (void)arg;
    FILE *file = ferry_conn_context(conn);
    char piece[PIECE];
    size_t got = fread(piece, 1, sizeof piece, file);
    if (got > 0)
        ferry_send(conn, piece, got);
    else if (is_complete(file))
        ferry_shutdown(conn);
    else
        ferry_abort(conn); /* a FIN would pass the part for the whole */
}

static void open_file(ferry_conn *conn, void *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        ferry_abort(conn);
        return;
    }
    ferry_conn_set_context(conn, file, close_file);
    send_piece(conn, NULL);
}

/* A client that has nothing to say still wants its file. */
static void go_on(ferry_conn *conn, void *arg)
{
    (void)conn, (void)arg;
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2021", .operand = "FILE"});
    /* What cannot be served is refused now, not at the first connection. */
    ferry_file_unref(example_open(flags.operand));
    ferry_service service = {.arg = flags.operand, .on_open = open_file, .on_drain = send_piece, .on_eof = go_on};
    return example_serve(&flags, &service);
}
