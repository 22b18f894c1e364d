/* SPDX-License-Identifier: MIT
 *
 * The sums of pingpong_client: what its sessions have sent and got back, and what is said of it.
 */
#ifndef PINGPONG_H
#define PINGPONG_H

#include "client.h"

enum { PINGPONG_SIZE_MAX = 16 << 20 };

struct pingpong {
    struct client client;
    struct pingpong_session *sessions;
    char *block;
    unsigned long count, size, seconds; /* --sessions, --size, --seconds */
};

struct pingpong_session {
    struct pingpong *test;
    uint64_t sent, received, reads; /* bytes, bytes, times that some came */
    bool over;                      /* its time is: it has sent all it will */
    bool ended;                     /* the server has sent all it will */
};

/* Reads the command line, and makes the sessions and their block. */
void pingpong_init(struct pingpong *test, int argc, char **argv);

/* A session has ended, for that reason: has it got back what it sent? */
void pingpong_judge(const struct pingpong_session *session, int reason);

/* Runs the sessions to their end, prints the sums, frees all. Returns the exit status. */
int pingpong_run(struct pingpong *test);

#endif
