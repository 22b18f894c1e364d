/* SPDX-License-Identifier: MIT
 *
 * ferry, the program: what its files share. The program uses the library's public header alone.
 *
 * A subcommand is a row of the table in main.c; its options are a table, too (options.h), from which both the parser
 * and the help text are made. A subcommand returns the exit status, and says in one line on stderr why it is not 0.
 */
#ifndef FERRY_TOOL_H
#define FERRY_TOOL_H

#include <ferry/ferry.h>

enum { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

struct command {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

extern const struct command serve_command;
extern const struct command get_command;

/* Prints "ferry WHO: what" and a newline on stderr, as one write. Thread: any. */
__attribute__((format(printf, 2, 3))) void complain(const char *who, const char *format, ...);

/* Says why there is no pool, or why it has ended, unless the library has. Returns STATUS_FAILED. */
int complain_of_pool(const char *who, int error);

#endif
