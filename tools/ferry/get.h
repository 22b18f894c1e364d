/* SPDX-License-Identifier: MIT
 *
 * ferry get: what its files share.
 *
 *     get.c           the command line, the pool, the connections
 *     get_download.c  one connection: what comes in, checked while it comes
 *     get_progress.c  how far it is, shown while it runs
 *     get_report.c    the verdict over all connections, and the summary
 *     digest.h reference.h output.h   where the bytes go: SHA-256, a file to compare with, a file to keep
 *
 * While the pool runs, each download is its loop's; the others see its counters alone. After that, all is the main
 * thread's.
 */
#ifndef FERRY_TOOL_GET_H
#define FERRY_TOOL_GET_H

#include "digest.h"
#include "output.h"
#include "reference.h"
#include "tool.h"
#include "units.h"
#include <stdatomic.h>

struct get_options {
    unsigned connections;
    unsigned threads;
    ferry_backend backend;
    const char *output; /* NULL = the bytes are thrown away */
    bool discard;
    struct known_size size;
    const char *sha256;   /* 64 hexadecimal digits, or NULL */
    const char *compare;  /* the file each connection should be equal to, or NULL */
    uint64_t slow;        /* bytes a second that each connection reads; 0 = as fast as it goes */
    uint64_t abort_after; /* bytes after which each connection is reset; 0 = never */
    unsigned timeout_ms;
    bool quiet;
};

enum outcome {
    OUTCOME_NONE,     /* it has not ended */
    OUTCOME_COMPLETE, /* the peer ended it in order; size and digest are still to be judged */
    OUTCOME_ABORTED,  /* by --abort-after, as was asked */
    OUTCOME_FAILED
};

struct download {
    struct get *get;
    _Atomic uint64_t received;
    struct digest *digest; /* NULL when none is computed */
    ferry_conn *conn;      /* from on_open to on_close */
    ferry_timer *rest;     /* ends the pause of a slow reader; NULL = it is reading */
    uint64_t opened;       /* nanoseconds of CLOCK_MONOTONIC; 0 = never */
    uint64_t ended;
    bool eof;
    _Atomic enum outcome outcome;
    char why[128];         /* the reason, for OUTCOME_FAILED */
    char hex[DIGEST_TEXT]; /* of the digest, when complete */
};

struct get {
    struct get_options options;
    const char *address;
    ferry_pool *pool;
    struct download *downloads; /* options.connections of them */
    struct reference reference; /* open with --compare */
    struct output output;       /* open with --output; the first download writes it */
    bool hashing;
    uint64_t limit;        /* the size that each connection must bring; SIZE_UNKNOWN = none was given */
    _Atomic uint64_t size; /* the same, or what the first one to end in order brought, or SIZE_UNKNOWN */
    uint64_t started;      /* nanoseconds of CLOCK_MONOTONIC */
    atomic_uint open;      /* downloads that have not ended; the last one stops the pool */
};

#define SIZE_UNKNOWN UINT64_MAX

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* Starts a connection on a loop. Returns 0, or -errno when nothing was started. */
int download_start(struct download *download, ferry_loop *loop);

/* Marks a download as failed, with the first reason given. Thread: its loop, or main before and after the pool runs. */
__attribute__((format(printf, 2, 3))) void download_fail(struct download *download, const char *format, ...);

/* Shows progress on stderr, from loop 0, from progress_begin() to progress_end(): before and after the pool runs. */
struct progress {
    struct get *get;
    ferry_timer *timer;
    bool terminal;  /* a bar that moves; else a line now and then */
    uint64_t bytes; /* at the last look */
    uint64_t looked;
    double rate; /* bytes a second, smoothed; 0 = not known yet */
};
void progress_begin(struct progress *progress, struct get *get);
void progress_end(struct progress *progress);

/* Judges sizes and digests, says what failed, prints the summary. Returns the exit status. */
int report(struct get *get);

#endif
