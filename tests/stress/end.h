/* SPDX-License-Identifier: MIT
 *
 * One end of a session: a socket that does what its plan says, and looks at every byte that it receives.
 */
#ifndef FERRY_STRESS_END_H
#define FERRY_STRESS_END_H

#include "pattern.h"
#include "plan.h"

/* What a client sends first, and its target takes off: which session it is. */
struct greeting {
    uint64_t run, session;
};

struct session; /* peers.c */

struct end {
    enum side side;
    struct session *session; /* NULL: a target that has not been greeted yet, or whose client has gone meanwhile */
    int fd;                  /* -1 before and after */
    unsigned watched;        /* what epoll has been told to look for */
    struct plan plan;
    struct greeting greeting;
    size_t greeted;                   /* bytes of it that were sent, or received */
    struct pattern out, in;           /* .at: the bytes sent, and received */
    uint64_t began;                   /* milliseconds, as all times here */
    uint64_t send_from, receive_from; /* not before */
    bool stalled;                     /* it has been, or is */
    bool fin_sent, eof;
    bool was_reset;  /* by the other side */
    bool was_rude;   /* has reset, or left, as planned */
    const char *bad; /* what must not be, or NULL */
};

/* Begins with a socket that is connected or connecting. */
void end_begin(struct end *end, enum side side, int fd, uint64_t now);

/* Its part in a session: what it does, and the stream that it will receive. */
void end_join(struct end *end, struct session *session, const struct plan *plan, uint64_t receives);

/* Whether a target has learned which session it is of, and has not joined it yet. */
bool end_is_greeted(const struct end *end);

/* Goes on by as much as is possible now; `events` are epoll's. The end is over when its fd is -1. */
void end_go_on(struct end *end, uint32_t events, uint64_t now);

/* What to look for in the socket, as epoll takes it. */
unsigned end_wants(const struct end *end, uint64_t now);

void end_print(const struct end *end);

#endif
