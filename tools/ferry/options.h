/* SPDX-License-Identifier: MIT
 *
 * Command lines: a table of options, filled into a struct; the help text comes from the same table.
 *
 * Options are GNU style: --name VALUE, --name=VALUE, -n VALUE, -nVALUE; "--" ends them. They may follow the operand.
 */
#ifndef FERRY_TOOL_OPTIONS_H
#define FERRY_TOOL_OPTIONS_H

#include <stddef.h>

struct option {
    char letter;       /* of the short form; 0 = there is none */
    const char *name;  /* of the long form */
    const char *value; /* what the help text calls the value; NULL = a flag */
    const char *help;
    /* Stores the value; returns NULL, or what the value should have been. A flag's text is NULL. */
    const char *(*parse)(const char *text, void *into);
    size_t offset; /* of the field it is stored into */
};

struct syntax {
    const char *command;
    const char *operand; /* the name of the one operand */
    const char *summary;
    const char *notes; /* what the help text says below the options */
    const struct option *options;
    size_t count;
};

enum { PARSED = -1 }; /* go on; anything else is an exit status */

/* Reads a command line into the struct at `into`, which holds the defaults, and the operand into *operand.
 * Returns PARSED, or the status to exit with: 0 when help was asked for and given, STATUS_USAGE after a complaint. */
int options_parse(const struct syntax *syntax, char **argv, void *into, const char **operand);

/* Values that several subcommands take: bool, const char *, and ferry_backend. See units.h for numbers. */
const char *parse_flag(const char *text, void *into);
const char *parse_text(const char *text, void *into);
const char *parse_backend(const char *text, void *into);

#endif
