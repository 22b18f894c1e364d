/* SPDX-License-Identifier: MIT
 *
 * What every example shares: its command line, and a pool that serves until SIGINT or SIGTERM. What an example teaches
 * is in its own file, never here.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <ferry/ferry.h>

/* A flag of one example alone, "--NAME VALUE": a number from min to max, or any text. */
typedef struct example_flag {
    const char *name, *value, *help; /* for the line of --help: "workers", "N", "threads that solve (default: 0)" */
    unsigned long *number;           /* where the number goes; what is there before is the default */
    unsigned long min, max;
    const char **text; /* where the text goes, when `number` is NULL */
} example_flag;

/* What the command line of an example may have. */
typedef struct example_usage {
    const char *listen;        /* the default of --listen; NULL for a client, which has no such flag */
    const char *operand;       /* what must be given besides flags, "FILE" or "ADDRESS"; NULL = nothing */
    const example_flag *flags; /* its own flags; the list ends with one without a name. NULL = none */
} example_usage;

typedef struct example_flags {
    const char *listen;      /* --listen ADDRESS */
    ferry_pool_options pool; /* --threads N, --backend NAME */
    char *operand;           /* what was given for the operand, else NULL */
} example_flags;

/* Reads the command line. --help ends the program with status 0; a mistake ends it with a line on stderr and status 2. */
example_flags example_parse(int argc, char **argv, const example_usage *usage);

/* Opens the file to be served, for the caller to unref; one that cannot be ends the program with a line and status 1. */
ferry_file *example_open(const char *path);

/* Makes the pool of the flags; when it cannot be made, ends the program with a line and status 1. */
ferry_pool *example_pool(const example_flags *flags);

/* Listens, and says "listening on ADDRESS" on stdout, with the real port.
 * Returns 0, or the exit status after a line on stderr: 1, or 2 if the address is no address. */
int example_listen(ferry_pool *pool, const char *address, const ferry_service *service);

/* Runs the pool until a signal, or ferry_pool_stop(). Returns the exit status: 0, or 1 after a line on stderr. */
int example_run(ferry_pool *pool);

/* A server with one listener, from its pool to its end: the three above. Returns the exit status. */
int example_serve(const example_flags *flags, const ferry_service *service);

#endif
