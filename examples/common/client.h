/* SPDX-License-Identifier: MIT
 *
 * What the client programs share: a run of some connections, which ends when each has done what it should. The first
 * that has not ends the run at once, with one line on stderr and status 1.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "example.h"

#include <stdatomic.h>

/* The flag --patience, where there is one, in seconds. */
enum { CLIENT_PATIENCE_S = 30 };

struct client {
    ferry_pool *pool;
    const char *address;
    unsigned long patience_s; /* how long a server may say nothing when it is its turn */
    atomic_ulong left;        /* connections that have not done yet what they should */
    atomic_int status;        /* of the program; that of the first failure */
};

/* Makes the pool for so many connections to the operand of the flags. */
void client_init(struct client *client, const example_flags *flags, unsigned long connections);

/* Connects on the pool's loop `index`, modulo their number; one attempt. Thread: any. */
void client_connect(struct client *client, unsigned long index, const ferry_service *service);

/* One connection has done what it should; the last ends the run. Thread: any. */
void client_done(struct client *client);

/* Ends the run at once, with that line unless it has failed already. Thread: any. */
void client_fail(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, for a connection that was never open; not if it is the run that ends. */
void client_fail_connect(struct client *client, int reason);

/* Prints to stdout, at once; where that cannot be, it is the run that fails. Thread: any. */
void client_say(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Runs until the end, whichever comes, and frees the pool. Returns the exit status: 0 when every connection has done what
 * it should; else there was a line on stderr, also when it was a signal that came first. */
int client_run(struct client *client);

#endif
