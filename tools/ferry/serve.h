/* SPDX-License-Identifier: MIT
 *
 * ferry serve: what its files share.
 *
 *     serve.c         the command line, the pool, the listener
 *     serve_mode.c    the modes: where the bytes come from and how a piece of them is sent
 *     serve_stream.c  one connection's way through the file: piece after piece, at a rate
 *
 * A mode knows nothing of callbacks, and a stream nothing of files: another style of driving connections would be
 * another serve_stream.c over the same modes.
 */
#ifndef FERRY_TOOL_SERVE_H
#define FERRY_TOOL_SERVE_H

#include "tool.h"
#include <stdatomic.h>

struct mode;

struct serve_options {
    const struct mode *mode;
    const char *listen;
    unsigned threads;
    ferry_backend backend;
    uint64_t rate; /* bytes a second and connection; 0 = no limit */
    unsigned grace_ms;
    bool quiet;
};

struct server {
    struct serve_options options;
    const char *path;
    ferry_pool *pool;
    ferry_listener *listener;
    ferry_file *file; /* the one all connections share, in the modes that have one */
    ferry_blob *blob; /* the same of the whole file in memory */
    atomic_uint cut;  /* streams that the end of the grace time, or a second signal, cut off */
};

/* One connection's way through the file. It is the connection's context; its loop alone touches it. */
struct stream {
    struct server *server;
    ferry_conn *conn;
    ferry_file *file; /* a reference, in the modes that read one */
    uint64_t size;
    uint64_t at;       /* bytes handed to the connection so far */
    uint64_t credit;   /* thousandths of a byte that the rate allows now */
    ferry_timer *beat; /* adds to the credit; NULL without a rate, and when all is sent */
    char peer[128];
};

struct mode {
    const char *name;
    bool paces_itself;                     /* the library keeps the rate; else pieces are sent by a timer */
    uint64_t piece;                        /* the most bytes sent at a time when no rate is asked */
    int (*prepare)(struct server *server); /* once, before listening: 0 or -errno */
    int (*begin)(struct stream *stream);   /* sets the size: 0 or -errno */
    int (*send)(struct stream *stream, uint64_t bytes); /* the next bytes, from stream->at: 0 or -errno */
};

/* The mode of that name, or NULL. */
const struct mode *mode_find(const char *name);

/* The callbacks of all connections; `arg` is the server. */
ferry_service stream_service(struct server *server);

#endif
