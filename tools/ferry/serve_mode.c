/* SPDX-License-Identifier: MIT
 *
 * ferry serve: the four modes, which differ in what they hold in memory, in what connections share, and in who copies.
 *
 *     whole     the file in memory, once for all; each connection sends the one blob
 *     chunk     each connection opens the file, reads a piece, sends it
 *     shared    the same with one open file for all
 *     zerocopy  one open file for all; the kernel moves the bytes, the program never sees them
 */
#include "serve.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes read and sent at a time: as many as stay in a core's cache between the two. */
enum { PIECE = 64 * 1024 };

/* Reads all of [from, from + len): 0, -ENODATA when the file has become shorter, or -errno. */
static int read_range(int fd, void *buf, size_t len, uint64_t from)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = pread(fd, (char *)buf + have, len - have, (off_t)(from + have));
        if (n == 0)
            return -ENODATA;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            have += (size_t)n;
    }
    return 0;
}

static int open_shared(struct server *server)
{
    server->file = ferry_file_open(server->path);
    return server->file != NULL ? 0 : -errno;
}

static int share_file(struct stream *stream)
{
    stream->file = ferry_file_ref(stream->server->file);
    stream->size = ferry_file_size(stream->file);
    return 0;
}

static int open_in_root(const struct server *server, ferry_file **file)
{
    int fd = root_open(&server->root);
    if (fd < 0)
        return fd == -ENXIO ? -EINVAL : fd; /* open(2): a Unix socket, a device without a driver */
    *file = ferry_file_from_fd(fd);
    if (*file != NULL)
        return 0;
    int error = -errno;
    close(fd);
    return error;
}

static int open_own(struct stream *stream)
{
    int error = open_in_root(stream->server, &stream->file);
    if (error == 0)
        stream->size = ferry_file_size(stream->file);
    return error;
}

/* Each connection will open the file, in the folder it is in now. It must be there already, though. */
static int check_file(struct server *server)
{
    ferry_file *file = NULL;
    int error = root_init(&server->root, server->path);
    if (error == 0)
        error = open_in_root(server, &file);
    ferry_file_unref(file);
    return error;
}

/* One buffer a loop, warm in the cache: what the kernel does not take at once, ferry_send() copies. */
static int send_piece(struct stream *stream, uint64_t bytes)
{
    static _Thread_local char piece[PIECE];
    size_t len = bytes < PIECE ? (size_t)bytes : PIECE;
    int error = read_range(ferry_file_fd(stream->file), piece, len, stream->at);
    if (error != 0)
        return error;
    ferry_send(stream->conn, piece, len);
    stream->at += len;
    return 0;
}

static int send_range(struct stream *stream, uint64_t bytes)
{
    const ferry_transfer_options options = {.rate = stream->server->options.rate};
    ferry_transfer *transfer = ferry_send_file_as(stream->conn, stream->file, stream->at, bytes, &options);
    if (transfer == NULL)
        return -errno;
    ferry_transfer_unref(transfer);
    stream->at += bytes;
    return 0;
}

static int load(ferry_file *file, struct server *server)
{
    uint64_t size = ferry_file_size(file);
    if (size > SIZE_MAX / 2)
        return -EFBIG;
    void *bytes = malloc(size > 0 ? (size_t)size : 1);
    if (bytes == NULL)
        return -ENOMEM;
    int error = read_range(ferry_file_fd(file), bytes, (size_t)size, 0);
    if (error == 0) {
        server->blob = ferry_blob_wrap(bytes, (size_t)size, free);
        error = server->blob != NULL ? 0 : -ENOMEM;
    }
    if (error != 0)
        free(bytes);
    return error;
}

static int load_whole(struct server *server)
{
    ferry_file *file = ferry_file_open(server->path);
    if (file == NULL)
        return -errno;
    int error = load(file, server);
    ferry_file_unref(file);
    return error;
}

static int share_blob(struct stream *stream)
{
    stream->size = ferry_blob_size(stream->server->blob);
    return 0;
}

/* A part of the blob goes as plain bytes: only a rate asks for parts, and those are small. */
static int send_blob(struct stream *stream, uint64_t bytes)
{
    ferry_blob *blob = stream->server->blob;
    if (bytes == ferry_blob_size(blob))
        ferry_send_blob(stream->conn, blob);
    else
        ferry_send(stream->conn, (const char *)ferry_blob_data(blob) + stream->at, (size_t)bytes);
    stream->at += bytes;
    return 0;
}

const struct mode *mode_find(const char *name)
{
    static const struct mode modes[] = {
        {"zerocopy", true, UINT64_MAX, open_shared, share_file, send_range},
        {"chunk", false, PIECE, check_file, open_own, send_piece},
        {"shared", false, PIECE, open_shared, share_file, send_piece},
        {"whole", false, UINT64_MAX, load_whole, share_blob, send_blob},
    };
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    return NULL;
}

const char *file_strerror(int error)
{
    switch (error) {
    case -EINVAL:
        return "not a regular file";
    case -EXDEV:
        return "it leads out of its folder";
    default:
        return ferry_strerror(error);
    }
}
