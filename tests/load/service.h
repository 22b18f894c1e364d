/* SPDX-License-Identifier: MIT
 *
 * What load_server serves, in each style: the same three services, and one ledger of how their connections ended.
 *
 *   echo   sends back what comes, without waiting for a client that does not read: max_pending is for that one
 *   file   sends the file, opened for each connection, and closes; what comes is thrown away
 *   line   sends back the first line, and closes; who takes too long over it, or writes too long a one, is cut off
 */
#ifndef LOAD_SERVICE_H
#define LOAD_SERVICE_H

#include <ferry/ferry.h>
#include <stdatomic.h>

enum { LINE_MAX_BYTES = 16 * 1024 };

enum ending { ORDERLY, RESET, TIMED_OUT, TOO_LONG, TOO_MUCH, ABORTED, OTHER, ENDINGS };

/* What the server was told, and what has happened; any thread counts. */
struct load {
    const char *file;
    unsigned long deadline_ms; /* for a line; 0 = none */
    unsigned long idle_ms, rate, pending, backlog;
    atomic_ulong opened, ended[ENDINGS];
};

/* A connection of one of the services, whose arg is the struct load, has opened; has closed. */
void load_opened(struct load *load);
void load_closed(ferry_conn *conn, int reason, void *arg);

/* Sends the file: all of it, or a reset. */
void load_send_file(ferry_conn *conn, const struct load *load);

/* The three of a style, less what they have in common. */
struct services {
    ferry_service echo, file, line;
};

extern const struct services reactor_services, coroutine_services;

#endif
