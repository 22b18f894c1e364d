/* SPDX-License-Identifier: MIT
 *
 * What every example shares: its command line, and a pool that serves until SIGINT or SIGTERM. What an example teaches
 * is in its own file, never here.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <ferry/ferry.h>

typedef struct example_flags {
    const char *listen;      /* --listen ADDRESS */
    ferry_pool_options pool; /* --threads N, --backend NAME */
    char *file;              /* the FILE of those that serve one, else NULL */
} example_flags;

/* Reads the command line of an example that listens on `listen` by default. One that serves a file says so, and then
 * FILE must be given. --help ends the program with status 0; a mistake ends it with a line on stderr and status 2. */
example_flags example_parse(int argc, char **argv, const char *listen, bool serves_file);

/* Opens the file to be served, for the caller to unref; one that cannot be ends the program with a line and status 1. */
ferry_file *example_open(const char *path);

/* Says "listening on ADDRESS" on stdout, with the real port, and serves until a signal asks it to stop.
 * Returns the exit status: 0, or 1 after a line on stderr; 2 if the address is no address. */
int example_serve(const example_flags *flags, const ferry_service *service);

#endif
