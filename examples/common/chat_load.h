/* SPDX-License-Identifier: MIT
 *
 * What both styles of chat_load share: a room full of connections, one message after the other, and when each of them
 * had it. How a connection is driven is in the program's own file.
 *
 * A message is a number of ten digits, a space, and a text that is the same in all of them. The next is sent when all
 * have the one before, by the next connection. Those numbered 0 only find out who is in the room: the kernel connects
 * before the server knows.
 */
#ifndef CHAT_LOAD_H
#define CHAT_LOAD_H

#include "client.h"
#include "latency.h"

/* One connection. Its loop's, but for `conn`, which stays as it is once it is open. */
struct chat_member {
    struct chat_load *load;
    ferry_conn *conn;   /* a reference */
    bool joined;        /* has got a message with number 0 */
    unsigned long last; /* number of the last message it has got */
    uint64_t delay_ns;  /* how long that took */
};

struct chat_load {
    struct client client;
    unsigned long connections, messages, size, patience_s;
    char *text;            /* `size` bytes less the number's */
    ferry_service service; /* of each connection */
    struct chat_member *members;
    uint64_t *delays;                      /* the members', sorted when the last of them has a message */
    atomic_ulong connecting, open, joined; /* connections that have come so far */
    atomic_ulong number, delivered;        /* of the message that is under way */
    _Atomic uint64_t sent_ns;              /* when */
    unsigned long progress, joined_before; /* when the timer last looked */
    uint64_t progress_ns;                  /* when there was progress last */
    struct latency first, median, last;
};

/* Reads the command line; what is impossible ends the program with a line. */
void chat_load_init(struct chat_load *load, int argc, char **argv);

/* Runs it with connections of that service, whose `arg` is a struct chat_member *; reports; returns the exit status. */
int chat_load_run(struct chat_load *load, const ferry_service *service);

/* What happens to a member, to be told on its loop: its connection is open; it got a message; the connection has ended,
 * 0 by the server, or why. */
void chat_load_opened(struct chat_member *member, ferry_conn *conn);
void chat_load_received(struct chat_member *member, const char *body, size_t len);
void chat_load_ended(struct chat_member *member, ssize_t reason);

#endif
