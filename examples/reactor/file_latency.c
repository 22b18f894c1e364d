/* SPDX-License-Identifier: MIT
 *
 * File latency: a client that says "file" gets the FILE, any other line comes back. The idea: one loop does both, and a file
 * under way is no reason for a message to be late: it goes out by pieces, and between two of them everybody has a turn.
 *
 *   $ ./file_latency FILE &
 *   $ ./file_latency_client 127.0.0.1:2016 --downloads 8
 */
#include "example.h"

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

/* The length of the first line, its end included; 0 = there is no end, or not where it should be. */
static size_t find_line(const char *data, size_t len)
{
    const char *end = memchr(data, '\n', len < LONGEST ? len : LONGEST);
    return end ? (size_t)(end + 1 - data) : 0;
}

static size_t answer_lines(ferry_conn *conn, const void *data, size_t len, void *file)
{
    const char *text = data;
    size_t used = 0, line;
    while ((line = find_line(text + used, len - used)) > 0) {
        answer(conn, text + used, line, file);
        used += line;
    }
    if (len - used >= LONGEST)
        ferry_abort(conn);
    return used;
}

static void stop_reading(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_pause(conn);
}

static void read_on(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_resume(conn);
}

static void finish(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_shutdown(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2016", .operand = "FILE"});
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {
        .arg = file,
        .on_data = answer_lines,
        .on_eof = finish,
        .on_high_water = stop_reading,
        .on_low_water = read_on,
    };
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
