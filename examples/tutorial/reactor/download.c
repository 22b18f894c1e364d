/* SPDX-License-Identifier: MIT
 *
 * Tutorial, step 3, reactor style: downloads that can be resumed, and cut into parts. A client sends lines "OFFSET LENGTH";
 * each is answered by a line with the number of bytes that follow, and these. docs/tutorial.md explains it.
 */
#include "example.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static size_t on_data(ferry_conn *conn, const void *data, size_t len, void *file)
{
    char request[LINE];
    const char *end = memchr(data, '\n', len < LINE ? len : LINE);
    if (!end && len < LINE)
        return 0;
    if (end)
        snprintf(request, sizeof request, "%.*s", (int)(end - (const char *)data), (const char *)data);
    if (end && answer(conn, file, request))
        ferry_conn_pause(conn);
    else
        ferry_close(conn);
    return end ? (size_t)(end + 1 - (const char *)data) : len;
}

static void on_drain(ferry_conn *conn, void *file)
{
    (void)file;
    ferry_conn_resume(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2021", .operand = "FILE"});
    ferry_file *file = example_open(flags.operand);
    ferry_service service = {.arg = file, .on_data = on_data, .on_drain = on_drain};
    int status = example_serve(&flags, &service);
    ferry_file_unref(file);
    return status;
}
