/* SPDX-License-Identifier: MIT
 *
 * ferry serve: what its files share.
 *
 *     serve.c            the command line, the pool, the listener
 *     serve_rights.c     giving up what is not needed for serving, before it begins
 *     serve_mode.c       the modes: where the bytes come from and how a piece of them is sent
 *     serve_stream.c     one connection's way through the file: what may be sent when, and its end
 *     serve_reactor.c    a style: callbacks take the stream from piece to piece
 *     serve_coroutine.c  a style: a coroutine does
 *
 * A mode knows nothing of styles, and a style nothing of files.
 */
#ifndef FERRY_TOOL_SERVE_H
#define FERRY_TOOL_SERVE_H

#include "confine.h"
#include "root.h"
#include "tool.h"
#include "user.h"
#include <stdatomic.h>

struct mode;
struct style;

enum { BEAT_MS = 50 }; /* how often a stream earns credit for its rate */

enum confine { CONFINE_AUTO, CONFINE_REQUIRE, CONFINE_OFF };

struct serve_options {
    const struct mode *mode;
    const struct style *style;
    const char *listen;
    unsigned threads;
    ferry_backend backend;
    uint64_t rate; /* bytes a second and connection; 0 = no limit */
    unsigned grace_ms;
    unsigned timeout_ms; /* for a client that takes nothing */
    bool quiet;
    struct user user;
    enum confine confine;
};

struct server {
    struct serve_options options;
    const char *path;
    ferry_pool *pool;
    ferry_listener *listener;
    ferry_file *file; /* the one all connections share, in the modes that have one */
    ferry_blob *blob; /* the same of the whole file in memory */
    struct root root; /* where each connection opens its file, in the mode that does so */
    struct confined confined;
    atomic_uint cut; /* streams that the end of the grace time, or a second signal, cut off */
};

/* One connection's way through the file. It is the connection's context; its loop alone touches it. */
struct stream {
    struct server *server;
    ferry_conn *conn;
    ferry_file *file; /* a reference, in the modes that read one */
    uint64_t size;
    uint64_t at;       /* bytes handed to the connection so far */
    uint64_t credit;   /* thousandths of a byte that the rate allows now */
    uint64_t earned;   /* up to when, on the loop's clock */
    ferry_timer *beat; /* reactor style: adds to the credit; NULL without a rate, and when all is sent */
    char peer[128];
};

struct mode {
    const char *name;
    bool paces_itself;                     /* the library keeps the rate; else pieces are sent as credit is earned */
    uint64_t piece;                        /* the most bytes sent at a time when no rate is asked */
    int (*prepare)(struct server *server); /* once, before listening: 0 or -errno */
    int (*begin)(struct stream *stream);   /* sets the size: 0 or -errno */
    int (*send)(struct stream *stream, uint64_t bytes); /* the next bytes, from stream->at: 0 or -errno */
};

struct style {
    const char *name;
    void (*drive)(ferry_service *service); /* fills in its callbacks, or its coroutine; on_close is the stream's */
};

extern const struct style reactor_style;
extern const struct style coroutine_style;

/* Gives up what is not needed any more: other users' rights, and by the kernel's means all but serving. STATUS_DONE, or
 * another after a complaint. After listening, before the pool's threads. */
int give_up_rights(struct server *server);

/* Says on stderr how far that went. */
void tell_rights(const struct server *server);

/* The mode of that name, or NULL. */
const struct mode *mode_find(const char *name);

/* What a mode says of the file, in words. */
const char *file_strerror(int error);

/* How connections are served, in the style that the options ask for. */
ferry_service stream_service(struct server *server);

/* For the styles. A new connection's stream; NULL = no memory, and the connection is aborted. */
struct stream *stream_new(ferry_conn *conn, struct server *server);

bool stream_is_paced(const struct stream *stream);

/* A paced one's credit for the time that has passed; about every BEAT_MS. */
void stream_earn(struct stream *stream);

/* How many bytes may be sent now: 0 = none before more is earned, or none is left. */
uint64_t stream_allowance(const struct stream *stream);

/* Sends them: 0 or -errno. */
int stream_send(struct stream *stream);

/* Says why, unless the connection's end will, and resets the connection. */
void stream_give_up(const struct stream *stream, int error);

#endif
