/* SPDX-License-Identifier: MIT
 *
 * The counts of idle_client: connections that are opened some at a time, and then held until the server closes them.
 */
#ifndef IDLE_H
#define IDLE_H

#include "client.h"

struct idle_conn {
    struct idle *idle;
    bool opened;
    bool ended; /* the server has sent FIN */
};

struct idle {
    struct client client;
    ferry_service service; /* of each; its arg is a struct idle_conn */
    struct idle_conn *conns;
    unsigned long count; /* --connections */
    uint64_t began_ns;
    atomic_ulong started, opened, closed; /* connections so far; closed: by the server */
};

/* Reads the command line, and sees to it that there are descriptors enough. */
void idle_init(struct idle *idle, int argc, char **argv);

/* Opens the first ones, runs to the end. Returns the exit status. */
int idle_run(struct idle *idle);

/* One is open, so the next is opened. Thread: any. */
void idle_open(struct idle_conn *conn);

/* One has closed, for that reason. Thread: any. */
void idle_close(struct idle_conn *conn, int reason);

#endif
