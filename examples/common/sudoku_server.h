/* SPDX-License-Identifier: MIT
 *
 * What the sudoku servers of both styles share: their flags, their workers, their statistics. How a connection is driven
 * is theirs.
 */
#ifndef SUDOKU_SERVER_H
#define SUDOKU_SERVER_H

#include "example.h"
#include "in_flight.h"
#include "sudoku_line.h"
#include "sudoku_stats.h"
#include "workers.h"

typedef struct sudoku_server {
    example_flags flags;
    unsigned long threads;   /* --workers */
    unsigned long in_flight; /* --in-flight: requests of one connection, at the workers; or in one turn of the loop */
    const char *stats_at;    /* --stats; NULL = nowhere */
    workers *workers;        /* NULL: each loop solves what its connections ask */
    sudoku_stats stats;
} sudoku_server;

/* Reads the command line, as example_parse(). */
void sudoku_server_parse(sudoku_server *server, int argc, char **argv);

/* Serves until a signal, and whoever connects to --stats gets the report. Returns the exit status. */
int sudoku_server_run(sudoku_server *server, const ferry_service *service);

/* Has a request of the connection answered: on this thread, before it returns; or by a worker, who then calls landed(flight)
 * on its own thread, with a reference to the connection. Fails: -ENOMEM. Thread: loop. */
int sudoku_server_take(sudoku_server *server, in_flight *flight, const sudoku_request *request,
                       void (*landed)(in_flight *flight));

#endif
