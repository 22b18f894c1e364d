/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: let the kernel move it. A file is queued as a message is, by one
 * call, and none of its bytes passes through this program.
 *
 *   $ ./download_zerocopy FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

static void send_file(ferry_conn *conn, void *file)
{
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_shutdown(conn);
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
    ferry_service service = {.arg = file, .on_open = send_file, .on_eof = go_on};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
