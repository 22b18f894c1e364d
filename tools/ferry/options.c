/* SPDX-License-Identifier: MIT
 *
 * Command lines: the parser and the help text of every subcommand.
 */
#include "options.h"
#include "tool.h"
#include <stdio.h>
#include <string.h>

/* The column the help texts start at. */
enum { HELP_COLUMN = 26 };

struct parser {
    const struct syntax *syntax;
    char **argv; /* the next argument */
    void *into;
    const char *operand;
    bool only_operands; /* "--" was seen */
};

static int refuse(const struct parser *parser, const char *what, const char *why)
{
    const char *command = parser->syntax->command;
    complain(command, "%s: %s; try 'ferry %s --help'", what, why, command);
    return STATUS_USAGE;
}

static void print_option(const struct option *option)
{
    char left[64];
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    int width = snprintf(left, sizeof left, "  %s--%s%s%s", option->letter ? letter : "", option->name,
                         option->value ? " " : "", option->value ? option->value : "");
    if (width > HELP_COLUMN - 2)
        printf("%s\n%*s%s\n", left, HELP_COLUMN, "", option->help);
    else
        printf("%-*s%s\n", HELP_COLUMN, left, option->help);
}

static int print_help(const struct syntax *syntax)
{
    printf("Usage: ferry %s [OPTION]... %s\n%s\n\n", syntax->command, syntax->operand, syntax->summary);
    for (size_t i = 0; i < syntax->count; i++)
        print_option(&syntax->options[i]);
    printf("  -h, --help              print this and exit\n\n%s", syntax->notes);
    return STATUS_DONE;
}

static const struct option *find_long(const struct syntax *syntax, const char *name, size_t length)
{
    for (size_t i = 0; i < syntax->count; i++)
        if (strncmp(syntax->options[i].name, name, length) == 0 && syntax->options[i].name[length] == '\0')
            return &syntax->options[i];
    return NULL;
}

static const struct option *find_short(const struct syntax *syntax, char letter)
{
    for (size_t i = 0; i < syntax->count; i++)
        if (syntax->options[i].letter != 0 && syntax->options[i].letter == letter)
            return &syntax->options[i];
    return NULL;
}

/* Stores one option. `given` is the value that came in the same argument, or NULL. */
static int store(struct parser *parser, const struct option *option, const char *name, const char *given)
{
    void *field = (char *)parser->into + option->offset;
    if (option->value == NULL && given != NULL)
        return refuse(parser, name, "takes no value");
    if (option->value != NULL && given == NULL)
        given = *parser->argv != NULL ? *parser->argv++ : NULL;
    if (option->value != NULL && given == NULL)
        return refuse(parser, name, "needs a value");
    const char *wanted = option->parse(given, field);
    if (wanted == NULL)
        return PARSED;
    complain(parser->syntax->command, "%s: '%s' is not %s", name, given, wanted);
    return STATUS_USAGE;
}

static int take_long(struct parser *parser, const char *argument)
{
    const char *equals = strchr(argument, '=');
    size_t length = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), argument);
    if (strcmp(name, "--help") == 0 && equals == NULL)
        return print_help(parser->syntax);
    const struct option *option = find_long(parser->syntax, argument + 2, length - 2);
    if (option == NULL)
        return refuse(parser, name, "no such option");
    return store(parser, option, name, equals != NULL ? equals + 1 : NULL);
}

/* A group of flags, "-qn4": each letter may be a flag but the last, which may have a value. */
static int take_short(struct parser *parser, const char *argument)
{
    int status = PARSED;
    while (status == PARSED && *++argument != '\0') {
        char name[] = {'-', *argument, '\0'};
        if (*argument == 'h')
            return print_help(parser->syntax);
        const struct option *option = find_short(parser->syntax, *argument);
        if (option == NULL)
            return refuse(parser, name, "no such option");
        bool rest = option->value != NULL && argument[1] != '\0';
        status = store(parser, option, name, rest ? argument + 1 : NULL);
        if (option->value != NULL)
            break;
    }
    return status;
}

static int take(struct parser *parser)
{
    const char *argument = *parser->argv++;
    bool option = !parser->only_operands && argument[0] == '-' && argument[1] != '\0';
    if (option && strcmp(argument, "--") == 0) {
        parser->only_operands = true;
        return PARSED;
    }
    if (option)
        return argument[1] == '-' ? take_long(parser, argument) : take_short(parser, argument);
    if (parser->operand != NULL)
        return refuse(parser, argument, "one argument too many");
    parser->operand = argument;
    return PARSED;
}

int options_parse(const struct syntax *syntax, char **argv, void *into, const char **operand)
{
    struct parser parser = {.syntax = syntax, .argv = argv + 1, .into = into};
    while (*parser.argv != NULL) {
        int status = take(&parser);
        if (status != PARSED)
            return status;
    }
    if (parser.operand == NULL || *parser.operand == '\0')
        return refuse(&parser, syntax->operand, "is missing");
    *operand = parser.operand;
    return PARSED;
}

const char *parse_flag(const char *text, void *into)
{
    (void)text;
    *(bool *)into = true;
    return NULL;
}

const char *parse_text(const char *text, void *into)
{
    if (*text == '\0')
        return "allowed to be empty";
    *(const char **)into = text;
    return NULL;
}

const char *parse_backend(const char *text, void *into)
{
    static const char *const names[] = {
        [FERRY_BACKEND_AUTO] = "auto",
        [FERRY_BACKEND_EPOLL] = "epoll",
        [FERRY_BACKEND_URING] = "uring",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *(ferry_backend *)into = (ferry_backend)i;
            return NULL;
        }
    }
    return "one of auto, epoll, uring";
}
