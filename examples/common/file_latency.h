/* SPDX-License-Identifier: MIT
 *
 * The sums of file_latency_client: how long small messages take, first alone, then beside downloads.
 */
#ifndef FILE_LATENCY_H
#define FILE_LATENCY_H

#include "client.h"
#include "latency.h"

enum { FILE_LATENCY_LINE_MAX = 32 };

struct file_latency {
    struct client client;
    unsigned long downloads, messages; /* --downloads; --messages, in each of the two phases */
    struct file_latency_download *each;

    /* Of the loop with the messages, which is the first. */
    bool opened;                      /* the connection of the messages */
    char line[FILE_LATENCY_LINE_MAX]; /* the message under way */
    uint64_t sent_ns;
    struct latency *phase; /* &alone or &beside */
    struct latency alone, beside;
    uint64_t began_ns, took_ns; /* the second phase, */
    uint64_t bytes_before;      /* and what the downloads had got before it, */
    uint64_t bytes_after;       /* and after it */

    /* Of all loops. */
    atomic_ulong begun; /* downloads that have got their first byte */
    atomic_ullong bytes;
};

/* A download; when it has the whole file it is begun anew. */
struct file_latency_download {
    struct file_latency *test;
    unsigned long loop; /* any but the first, if there is another */
    uint64_t got;
    bool opened;
    bool ended; /* the server has sent FIN */
};

/* Reads the command line. There are two loops at least, so that the downloads do not hold up the messages here. */
void file_latency_init(struct file_latency *test, int argc, char **argv);

/* Makes the next message, in test->line; returns its length. */
size_t file_latency_ask(struct file_latency *test);

/* Takes what came back, a line. False when that was the last of its phase, or was not what was sent. */
bool file_latency_take(struct file_latency *test, const char *line, size_t len);

/* All messages of this phase have come back. */
bool file_latency_is_complete(const struct file_latency *test);

/* The second phase begins, and ends; with it the run. */
void file_latency_begin(struct file_latency *test);
void file_latency_finish(struct file_latency *test);

/* The server has ended the connection of the messages; it has closed, for that reason. */
void file_latency_end(struct file_latency *test);
void file_latency_close(struct file_latency *test, int reason);

/* A download has got some bytes. True when with them the last of all has begun. Thread: any. */
bool file_latency_receive(struct file_latency_download *download, size_t len);

/* A download has closed, for that reason. True when it is to be begun anew. Thread: any. */
bool file_latency_again(struct file_latency_download *download, int reason);

/* Runs to the end, prints the sums, frees all. Returns the exit status. */
int file_latency_run(struct file_latency *test);

#endif
