/* SPDX-License-Identifier: MIT
 *
 * The command line and the main loop of every example; see example.h. Public headers of ferry only.
 */
#include "example.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2 };

static const char help[] = "  --listen ADDRESS   HOST:PORT, [HOST]:PORT, :PORT or unix:PATH (default: %s)\n"
                           "  --threads N        loops, one a thread; 0 = one a core (default: 1)\n"
                           "  --backend NAME     auto, epoll or uring (default: auto)\n"
                           "  --help             this text\n";

static const char *const backends[] = {
    [FERRY_BACKEND_AUTO] = "auto",
    [FERRY_BACKEND_EPOLL] = "epoll",
    [FERRY_BACKEND_URING] = "uring",
};

static unsigned parse_threads(const char *text)
{
    char *end;
    long threads = strtol(text, &end, 10);
    if (end == text || *end != '\0' || threads < 0 || threads > 1024)
        errx(STATUS_USAGE, "--threads takes a number from 0 to 1024, not '%s'", text);
    return (unsigned)threads;
}

static ferry_backend parse_backend(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (strcmp(name, backends[i]) == 0)
            return (ferry_backend)i;
    }
    errx(STATUS_USAGE, "--backend takes auto, epoll or uring, not '%s'", name);
}

static void print_help(const char *program, const char *listen, bool serves_file)
{
    printf("usage: %s [FLAG]...%s\n", program, serves_file ? " FILE" : "");
    printf(help, listen);
    if (fflush(stdout) != 0)
        err(STATUS_FAILED, "cannot write to stdout");
}

static char *parse_operand(int argc, char **argv, bool serves_file)
{
    int end = serves_file ? optind + 1 : optind;
    if (argc > end)
        errx(STATUS_USAGE, "unexpected argument '%s'; see --help", argv[end]);
    if (serves_file && argc == optind)
        errx(STATUS_USAGE, "the FILE to serve is missing; see --help");
    return argv[optind];
}

example_flags example_parse(int argc, char **argv, const char *listen, bool serves_file)
{
    static const struct option options[] = {
        {"listen", required_argument, NULL, 'l'},
        {"threads", required_argument, NULL, 't'},
        {"backend", required_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    example_flags flags = {.listen = listen, .pool = {.threads = 1, .handle_signals = true}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            flags.listen = optarg;
            break;
        case 't':
            flags.pool.threads = parse_threads(optarg);
            break;
        case 'b':
            flags.pool.backend = parse_backend(optarg);
            break;
        case 'h':
            print_help(argv[0], listen, serves_file);
            exit(EXIT_SUCCESS);
        default: /* getopt_long() has said why */
            exit(STATUS_USAGE);
        }
    }
    flags.file = parse_operand(argc, argv, serves_file);
    return flags;
}

ferry_file *example_open(const char *path)
{
    ferry_file *file = ferry_file_open(path);
    if (!file && errno == EINVAL)
        errx(STATUS_FAILED, "cannot serve '%s': it is not a regular file", path);
    if (!file)
        err(STATUS_FAILED, "cannot serve '%s'", path);
    return file;
}

static int refuse_address(const char *address)
{
    if (errno == EINVAL) {
        warnx("--listen takes an address, not '%s'; see --help", address);
        return STATUS_USAGE;
    }
    warn("cannot listen on %s", address);
    return STATUS_FAILED;
}

static int serve(ferry_pool *pool, const char *address, const ferry_service *service)
{
    ferry_listener *listener = ferry_listen(pool, address, service);
    if (!listener)
        return refuse_address(address);
    /* Flushed at once: a script that asked for port 0 is waiting for this line. */
    if (printf("listening on %s\n", ferry_listener_address(listener)) < 0 || fflush(stdout) != 0) {
        warn("cannot write to stdout");
        return STATUS_FAILED;
    }
    int failure = ferry_pool_run(pool);
    if (failure < 0) {
        warnx("cannot run: %s", ferry_strerror(failure));
        return STATUS_FAILED;
    }
    return EXIT_SUCCESS;
}

int example_serve(const example_flags *flags, const ferry_service *service)
{
    ferry_pool *pool = ferry_pool_new(&flags->pool);
    if (!pool) {
        warn("cannot start with backend %s", backends[flags->pool.backend]);
        return STATUS_FAILED;
    }
    int status = serve(pool, flags->listen, service);
    ferry_pool_free(pool);
    return status;
}
