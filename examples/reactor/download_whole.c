/* SPDX-License-Identifier: MIT
 *
 * Sends a file to whoever connects, then FIN. The idea: read it once, into a blob, and send that. All connections share
 * the one copy, which costs the size of the file, and is freed when the last of them is done with it.
 *
 *   $ ./download_whole FILE &
 *   $ nc 127.0.0.1 2021 | cmp - FILE
 */
#include "example.h"

#include <err.h>
#include <stdlib.h>
#include <unistd.h>

static ferry_blob *read_whole(const char *path)
{
    ferry_file *file = example_open(path);
    size_t size = ferry_file_size(file);
    char *data = malloc(size + 1); /* so that an empty file is no special case */
    ferry_blob *blob = data ? ferry_blob_wrap(data, size, free) : NULL;
    if (!blob)
        err(EXIT_FAILURE, "cannot hold '%s'", path);
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(ferry_file_fd(file), data + done, size - done, (off_t)done);
        if (got <= 0)
            errx(EXIT_FAILURE, "cannot read '%s' to its end", path);
        done += (size_t)got;
    }
    ferry_file_unref(file);
    return blob;
}

static void send_whole(ferry_conn *conn, void *arg)
{
    ferry_send_blob(conn, arg);
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
    ferry_blob *blob = read_whole(flags.operand);
    ferry_service service = {.arg = blob, .on_open = send_whole, .on_eof = go_on};
    int status = example_serve(&flags, &service);
    ferry_blob_unref(blob);
    return status;
}
