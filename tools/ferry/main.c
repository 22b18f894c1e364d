/* SPDX-License-Identifier: MIT
 *
 * ferry, the program: finds the subcommand and runs it.
 */
#include "tool.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {&serve_command, &get_command, NULL};

void complain(const char *who, const char *format, ...)
{
    char line[PATH_MAX + 256]; /* a path, and what is wrong with it */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "ferry%s%s: %s\n", *who ? " " : "", who, line);
}

int complain_of_pool(const char *who, int error)
{
    if (error != ENOTSUP && error != EINVAL) /* else the library has said why, see warn() */
        complain(who, "cannot start: %s", strerror(error));
    return STATUS_FAILED;
}

static const struct command *find(const char *name)
{
    const struct command *const *command = commands;
    while (*command != NULL && strcmp((*command)->name, name) != 0)
        command++;
    return *command;
}

static int print_help(void)
{
    puts("Usage: ferry COMMAND [OPTION]... ARGUMENT\n"
         "Serves a file over TCP, and tests such a server.\n");
    for (const struct command *const *command = commands; *command != NULL; command++)
        printf("  %-8s%s\n", (*command)->name, (*command)->summary);
    puts("  help    explain a command: ferry help COMMAND\n"
         "\n"
         "  -h, --help     print this and exit\n"
         "  -V, --version  print the version, the backend that is used, and those that work here\n"
         "\n"
         "Exit status: 0 done, 1 failed, 2 the command line was wrong.");
    return STATUS_DONE;
}

/* Prints which backend a pool gets for that choice. */
static bool print_backend(const char *prefix, ferry_backend backend)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1, .backend = backend});
    if (pool != NULL)
        printf("%s%s", prefix, ferry_pool_backend(pool));
    ferry_pool_free(pool);
    return pool != NULL;
}

static int print_version(void)
{
    printf("ferry %s\n", ferry_version());
    bool chosen = print_backend("backend: ", FERRY_BACKEND_AUTO);
    unsetenv("FERRY_BACKEND");
    fputs(chosen ? "\navailable:" : "available:", stdout);
    print_backend(" ", FERRY_BACKEND_EPOLL);
    print_backend(" ", FERRY_BACKEND_URING);
    putchar('\n');
    return chosen ? STATUS_DONE : STATUS_FAILED;
}

static int refuse(const char *name)
{
    complain("", "%s: no such %s; try 'ferry --help'", name, name[0] == '-' ? "option" : "command");
    return STATUS_USAGE;
}

static int explain(const char *name)
{
    if (name == NULL)
        return print_help();
    const struct command *command = find(name);
    char help[] = "--help";
    char *argv[] = {help, help, NULL};
    return command != NULL ? command->run(2, argv) : refuse(name);
}

static int run(int argc, char **argv)
{
    const char *word = argv[1];
    if (argc < 2) {
        complain("", "a command is missing; try 'ferry --help'");
        return STATUS_USAGE;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_help();
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    if (strcmp(word, "help") == 0)
        return explain(argv[2]);
    const struct command *command = find(word);
    return command != NULL ? command->run(argc - 1, argv + 1) : refuse(word);
}

/* What the library has to tell besides what it tells its callers. */
static void warn(ferry_log_level level, const char *line, void *arg)
{
    (void)arg;
    if (level != FERRY_LOG_INFO)
        complain("", "%s", line);
}

/* A file or a socket must not get the number of one that is closed, and then what is printed. Such a one stays one that
 * cannot be used: it is opened the wrong way round. */
static bool hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

/* What SIGTERM does, which is the library's; once, since shells say it again. */
static void hang_up(int number)
{
    signal(number, SIG_IGN);
    raise(SIGTERM);
}

/* A write that fails is told by its line and the exit status, and does not end us in the midst. */
static void set_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (signal(SIGHUP, hang_up) == SIG_IGN) /* nohup(1) */
        signal(SIGHUP, SIG_IGN);
}

int main(int argc, char **argv)
{
    set_signals();
    if (!hold_standard_descriptors()) {
        complain("", "cannot open /dev/null: %s", strerror(errno));
        return STATUS_FAILED;
    }
    ferry_log_to(warn, NULL);
    int status = run(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("", "cannot write to standard output: %s", strerror(errno));
        return status == STATUS_DONE ? STATUS_FAILED : status;
    }
    return status;
}
