/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: let the kernel move it. A file is queued as a message is, by one
 * call, and none of its bytes passes through this program.
 *
 *   $ ./download_zerocopy FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

/* Until the client ends, too, and has all that was sent; what it has to say is ignored. */
static void wait_end(ferry_conn *conn)
{
    char ignored[512];
    while (ferry_recv(conn, ignored, sizeof ignored) > 0)
        ;
    ferry_flush(conn);
}

static void send_file(ferry_conn *conn, void *file)
{
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_shutdown(conn);
    wait_end(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2021", .operand = "FILE"});
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {.name = "download", .arg = file, .serve = send_file};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
