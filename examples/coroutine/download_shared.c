/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: by pieces, each read when the one before it is in the kernel, but
 * from one open file for all. What a connection has of its own is its offset, and that is a local variable.
 *
 *   $ ./download_shared FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

#include <unistd.h>

enum { PIECE = 64 << 10, STACK = PIECE + (64 << 10) }; /* the piece lies on the coroutine's stack */

static void send_pieces(ferry_conn *conn, ferry_file *file)
{
    char piece[PIECE];
    uint64_t offset = 0;
    ssize_t got = -1;
    while (ferry_flush(conn) == 0 && (got = pread(ferry_file_fd(file), piece, sizeof piece, (off_t)offset)) > 0) {
        offset += (uint64_t)got;
        ferry_send(conn, piece, (size_t)got);
    }
    if (got == 0 && offset >= ferry_file_size(file))
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

static void send_file(ferry_conn *conn, void *file)
{
    send_pieces(conn, file);
    wait_end(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2021", .operand = "FILE"});
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {.name = "download", .arg = file, .serve = send_file, .stack_size = STACK};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
