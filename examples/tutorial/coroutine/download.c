/* SPDX-License-Identifier: MIT
 *
 * Tutorial, step 3, coroutine style: downloads that can be resumed, and cut into parts. A client sends lines "OFFSET
 * LENGTH"; each is answered by a line with the number of bytes that follow, and these. docs/tutorial.md explains it.
 */
#include "example.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE = 64 };

static bool parse(const char *request, uint64_t *offset, uint64_t *len)
{
    char *middle, *end;
    *offset = strtoull(request, &middle, 10);
    *len = strtoull(middle, &end, 10);
    return middle != request && end != middle;
}

/* False if that is no request. The range ends with the file, whatever was asked. */
static bool answer(ferry_conn *conn, ferry_file *file, const char *request)
{
    uint64_t offset, len, size = ferry_file_size(file);
    char header[LINE];
    if (!parse(request, &offset, &len))
        return false;
    offset = offset < size ? offset : size;
    len = len < size - offset ? len : size - offset;
    int n = snprintf(header, sizeof header, "%" PRIu64 "\n", len);
    ferry_send(conn, header, (size_t)n);
    ferry_send_file(conn, file, offset, len);
    return true;
}

/* One request at a time: a client that asks without reading the answers is not read from, until it has. */
static void serve(ferry_conn *conn, void *file)
{
    char request[LINE];
    ssize_t len;
    while ((len = ferry_recv_until(conn, request, sizeof request, "\n")) > 0) {
        request[len - 1] = '\0';
        if (!answer(conn, file, request) || ferry_flush(conn) < 0)
            return;
    }
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2021", .operand = "FILE"});
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {.arg = file, .name = "download", .serve = serve};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
