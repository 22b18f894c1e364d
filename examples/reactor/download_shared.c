/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: by pieces, each read when the one before it is in the kernel, but
 * from one open file for all. Each connection has its own offset and a reference; the file is closed with the last one.
 *
 *   $ ./download_shared FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

typedef struct download {
    ferry_file *file;
    uint64_t offset;
} download;

static void close_file(void *context)
{
    download *down = context;
    ferry_file_unref(down->file);
    free(down);
}

static void send_piece(ferry_conn *conn, void *arg)
{
    (void)arg;
    download *down = ferry_conn_context(conn);
    char piece[PIECE];
    ssize_t got = pread(ferry_file_fd(down->file), piece, sizeof piece, (off_t)down->offset);
    if (got > 0) {
        down->offset += (uint64_t)got;
        ferry_send(conn, piece, (size_t)got);
    } else if (got == 0 && down->offset >= ferry_file_size(down->file)) {
        ferry_shutdown(conn);
    } else {
        ferry_abort(conn); /* a FIN would pass the part for the whole */
    }
}

static void open_file(ferry_conn *conn, void *file)
{
    download *down = malloc(sizeof *down);
    if (!down) {
        ferry_abort(conn);
        return;
    }
    *down = (download){.file = ferry_file_ref(file), .offset = 0};
    ferry_conn_set_context(conn, down, close_file);
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
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {.arg = file, .on_open = open_file, .on_drain = send_piece, .on_eof = go_on};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
