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

/* The flags of every example; a client has all but the first. */
static const char listen_help[] = "  --listen ADDRESS   HOST:PORT, [HOST]:PORT, :PORT or unix:PATH (default: %s)\n";
static const char common_help[] = "  --threads N        loops, one a thread; 0 = one a core (default: 1)\n"
                                  "  --backend NAME     auto, epoll or uring (default: auto)\n"
                                  "  --help             this text\n";

static const struct option common_options[] = {
    {"threads", required_argument, NULL, 't'},
    {"backend", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {"listen", required_argument, NULL, 'l'},
};

enum { COMMON = sizeof common_options / sizeof *common_options, OWN_MAX = 8, OWN_FIRST = 256 };

static const char *const backends[] = {
    [FERRY_BACKEND_AUTO] = "auto",
    [FERRY_BACKEND_EPOLL] = "epoll",
    [FERRY_BACKEND_URING] = "uring",
};

static unsigned long parse_number(const char *flag, const char *text, unsigned long min, unsigned long max)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    bool is_number = *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
    if (!is_number || number < min || number > max)
        errx(STATUS_USAGE, "--%s takes a number from %lu to %lu, not '%s'", flag, min, max, text);
    return number;
}

static ferry_backend parse_backend(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (strcmp(name, backends[i]) == 0)
            return (ferry_backend)i;
    }
    errx(STATUS_USAGE, "--backend takes auto, epoll or uring, not '%s'", name);
}

static void print_help(const char *program, const example_usage *usage)
{
    printf("usage: %s [FLAG]...%s%s\n", program, usage->operand ? " " : "", usage->operand ? usage->operand : "");
    for (const example_flag *flag = usage->flags; flag && flag->name; flag++) {
        int width = printf("  --%s %s ", flag->name, flag->value);
        printf("%*s%s\n", width < 21 ? 21 - width : 0, "", flag->help);
    }
    if (usage->listen)
        printf(listen_help, usage->listen);
    fputs(common_help, stdout);
    if (fflush(stdout) != 0)
        err(STATUS_FAILED, "cannot write to stdout");
}

static char *parse_operand(int argc, char **argv, const char *operand)
{
    int end = operand ? optind + 1 : optind;
    if (argc > end)
        errx(STATUS_USAGE, "unexpected argument '%s'; see --help", argv[end]);
    if (operand && argc == optind)
        errx(STATUS_USAGE, "the %s is missing; see --help", operand);
    return argv[optind];
}

/* The common options, less --listen for a client, and its own ones behind them. `all` is full of zeros. */
static void list_options(struct option *all, const example_usage *usage)
{
    size_t count = usage->listen ? COMMON : COMMON - 1;
    memcpy(all, common_options, count * sizeof *all);
    for (int i = 0; usage->flags && usage->flags[i].name; i++)
        all[count++] = (struct option){usage->flags[i].name, required_argument, NULL, OWN_FIRST + i};
}

static void take_own(const example_flag *flag)
{
    if (flag->number)
        *flag->number = parse_number(flag->name, optarg, flag->min, flag->max);
    else
        *flag->text = optarg;
}

example_flags example_parse(int argc, char **argv, const example_usage *usage)
{
    struct option options[COMMON + OWN_MAX + 1] = {0};
    list_options(options, usage);
    example_flags flags = {.listen = usage->listen, .pool = {.threads = 1, .handle_signals = true}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            flags.listen = optarg;
            break;
        case 't':
            flags.pool.threads = (unsigned)parse_number("threads", optarg, 0, 1024);
            break;
        case 'b':
            flags.pool.backend = parse_backend(optarg);
            break;
        case 'h':
            print_help(argv[0], usage);
            exit(EXIT_SUCCESS);
        case '?': /* getopt_long() has said why */
            exit(STATUS_USAGE);
        default:
            take_own(&usage->flags[option - OWN_FIRST]);
        }
    }
    flags.operand = parse_operand(argc, argv, usage->operand);
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

int example_listen(ferry_pool *pool, const char *address, const ferry_service *service)
{
    ferry_listener *listener = ferry_listen(pool, address, service);
    if (!listener)
        return refuse_address(address);
    /* Flushed at once: a script that asked for port 0 is waiting for this line. */
    if (printf("listening on %s\n", ferry_listener_address(listener)) < 0 || fflush(stdout) != 0) {
        warn("cannot write to stdout");
        return STATUS_FAILED;
    }
    return EXIT_SUCCESS;
}

int example_run(ferry_pool *pool)
{
    int failure = ferry_pool_run(pool);
    if (failure == 0)
        return EXIT_SUCCESS;
    warnx("cannot run: %s", ferry_strerror(failure));
    return STATUS_FAILED;
}

ferry_pool *example_pool(const example_flags *flags)
{
    ferry_pool *pool = ferry_pool_new(&flags->pool);
    if (!pool)
        err(STATUS_FAILED, "cannot start with backend %s", backends[flags->pool.backend]);
    return pool;
}

int example_serve(const example_flags *flags, const ferry_service *service)
{
    ferry_pool *pool = example_pool(flags);
    int status = example_listen(pool, flags->listen, service);
    if (status == EXIT_SUCCESS)
        status = example_run(pool);
    ferry_pool_free(pool);
    return status;
}
