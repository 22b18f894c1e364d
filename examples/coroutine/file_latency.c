/* SPDX-License-Identifier: MIT
 *
 * File latency: a client that says "file" gets the FILE, any other line comes back. The idea: one loop does both, and a file
 * under way is no reason for a message to be late: it goes out by pieces, and between two of them everybody has a turn.
 *
 *   $ ./file_latency FILE &
 *   $ ./file_latency_client 127.0.0.1:2016 --downloads 8
 */
#include "example.h"

#include <errno.h>
#include <string.h>

enum { LONGEST = 1024 }; /* line, its end included */

static void answer(ferry_conn *conn, const char *line, size_t len, ferry_file *file)
{
    if (len == strlen("file\n") && memcmp(line, "file\n", len) == 0) {
        ferry_send_file(conn, file, 0, FERRY_TO_END);
        ferry_shutdown(conn); /* by this the client knows that it was all of it */
    } else {
        ferry_send(conn, line, len);
    }
}

static void answer_lines(ferry_conn *conn, void *file)
{
    char line[LONGEST];
    ssize_t len;
    while ((len = ferry_recv_until(conn, line, sizeof line, "\n")) > 0)
        answer(conn, line, (size_t)len, file);
    if (len == -EMSGSIZE)
        ferry_abort(conn);
    ferry_flush(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2016", .operand = "FILE"});
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {.name = "lines", .arg = file, .serve = answer_lines};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
