/* SPDX-License-Identifier: MIT
 *
 * ferry get: the command.
 */
#include "get.h"
#include "options.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *parse_sha256(const char *text, void *into)
{
    size_t digits = 0;
    while (isxdigit((unsigned char)text[digits]))
        digits++;
    if (digits != DIGEST_TEXT - 1 || text[digits] != '\0')
        return "a SHA-256 (64 hexadecimal digits)";
    *(const char **)into = text;
    return NULL;
}

static const struct option options[] = {
    {'n', "connections", "N", "how many at once (default 1)", parse_count, offsetof(struct get_options, connections)},
    {'t', "threads", "N", "loops, one a thread (default: one a core)", parse_threads,
     offsetof(struct get_options, threads)},
    {'b', "backend", "NAME", "auto (default), epoll or uring", parse_backend, offsetof(struct get_options, backend)},
    {'o', "output", "FILE", "keep the first connection's bytes, if all is well", parse_text,
     offsetof(struct get_options, output)},
    {'d', "discard", NULL, "keep nothing (default)", parse_flag, offsetof(struct get_options, discard)},
    {'s', "size", "BYTES", "what each connection must bring", parse_known_size, offsetof(struct get_options, size)},
    {0, "sha256", "HEX", "the digest each connection must have", parse_sha256, offsetof(struct get_options, sha256)},
    {'c', "compare", "FILE", "what each connection must be equal to, byte by byte", parse_text,
     offsetof(struct get_options, compare)},
    {0, "slow", "BYTES/S", "read each connection no faster than that", parse_rate, offsetof(struct get_options, slow)},
    {0, "abort-after", "BYTES", "reset each connection after so many bytes", parse_size,
     offsetof(struct get_options, abort_after)},
    {0, "timeout", "SECONDS", "give up when nothing comes for so long (default 30)", parse_timeout,
     offsetof(struct get_options, timeout_ms)},
    {'q', "quiet", NULL, "no progress and no summary", parse_flag, offsetof(struct get_options, quiet)},
};

static const struct syntax syntax = {
    .command = "get",
    .operand = "ADDRESS",
    .summary = "Reads from a server until it closes, over one connection or many, and checks what came.",
    .notes = "Addresses: 127.0.0.1:8888, [::1]:8888, localhost:8888, unix:PATH, unix:@NAME.\n"
             "Sizes and rates take the suffixes K, M, G and T: 1024 bytes, its square, and so on.\n"
             "\n"
             "All connections must bring the same bytes: equal in size and SHA-256. TCP tells a transfer that\n"
             "was reset, but one that ends too early in order, as when the server is killed, can only be\n"
             "told when the size or the digest is known.\n"
             "FILE appears when all connections were verified, and not before.\n"
             "\n"
             "Exit status: 0 all connections verified (or all aborted, with --abort-after);\n"
             "1 any was short, wrong, reset or refused, or FILE could not be written; 2 usage.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int refuse(const char *why)
{
    complain("get", "%s; try 'ferry get --help'", why);
    return STATUS_USAGE;
}

/* What the options say together. */
static int check(const struct get_options *given)
{
    if (given->output != NULL && given->discard)
        return refuse("--output and --discard exclude each other");
    if (given->abort_after > 0 && given->output != NULL)
        return refuse("--abort-after and --output exclude each other");
    if (given->abort_after > 0 && given->sha256 != NULL)
        return refuse("--abort-after and --sha256 exclude each other");
    if (given->sha256 != NULL && !digest_available())
        return refuse("--sha256: this program was built without libcrypto");
    return PARSED;
}

static int open_reference(struct get *get)
{
    const char *path = get->options.compare;
    if (path == NULL)
        return PARSED;
    int error = reference_open(&get->reference, path);
    if (error != 0) {
        complain("get", "%s: %s", path, error == -EINVAL ? "not a regular file" : ferry_strerror(error));
        return STATUS_FAILED;
    }
    if (get->limit != SIZE_UNKNOWN && get->limit != get->reference.size) {
        complain("get", "--size says %" PRIu64 " bytes, but %s has %" PRIu64, get->limit, path, get->reference.size);
        return STATUS_USAGE;
    }
    get->limit = get->reference.size;
    return PARSED;
}

static int open_output(struct get *get)
{
    const char *path = get->options.output;
    int error = path != NULL ? output_open(&get->output, path) : 0;
    if (error == 0)
        return PARSED;
    complain("get", "cannot write %s: %s", path, error == -EINVAL ? "not a regular file" : strerror(-error));
    return STATUS_FAILED;
}

static int make_downloads(struct get *get)
{
    get->downloads = calloc(get->options.connections, sizeof *get->downloads);
    bool enough = get->downloads != NULL;
    for (unsigned i = 0; enough && i < get->options.connections; i++) {
        get->downloads[i].get = get;
        if (get->hashing)
            get->downloads[i].digest = digest_new();
        enough = !get->hashing || get->downloads[i].digest != NULL;
    }
    if (enough)
        return PARSED;
    complain("get", "no memory for %u connections", get->options.connections);
    return STATUS_FAILED;
}

static int make_pool(struct get *get)
{
    /* Only a signal finds connections still open: they are cut at once. */
    const ferry_pool_options pool_options = {
        .threads = get->options.threads,
        .backend = get->options.backend,
        .handle_signals = true,
        .grace_ms = 1,
    };
    get->pool = ferry_pool_new(&pool_options);
    return get->pool != NULL ? PARSED : complain_of_pool("get", errno);
}

static int connect_all(struct get *get)
{
    unsigned loops = ferry_pool_size(get->pool);
    atomic_store(&get->open, get->options.connections);
    for (unsigned i = 0; i < get->options.connections; i++) {
        int error = download_start(&get->downloads[i], ferry_pool_loop(get->pool, i % loops));
        if (error == -EINVAL) {
            complain("get", "'%s' is not an address (as in 127.0.0.1:8888, unix:PATH)", get->address);
            return STATUS_USAGE;
        }
        if (error != 0) {
            complain("get", "cannot connect: %s", ferry_strerror(error));
            return STATUS_FAILED;
        }
    }
    return PARSED;
}

static int run_pool(struct get *get)
{
    struct progress progress;
    get->started = now_ns();
    progress_begin(&progress, get);
    int error = ferry_pool_run(get->pool);
    progress_end(&progress);
    return error == 0 ? report(get) : complain_of_pool("get", -error);
}

static int download_all(struct get *get)
{
    static int (*const steps[])(struct get *) = {open_reference, open_output, make_downloads, make_pool, connect_all};
    int status = PARSED;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && status == PARSED; i++) {
        status = steps[i](get);
        atomic_store(&get->size, get->limit);
    }
    return status == PARSED ? run_pool(get) : status;
}

/* A pool freed before it ran closes its connections, so the downloads go after it. */
static void clean_up(struct get *get)
{
    ferry_pool_free(get->pool);
    output_close(&get->output, false);
    reference_close(&get->reference);
    for (unsigned i = 0; get->downloads != NULL && i < get->options.connections; i++)
        digest_free(get->downloads[i].digest);
    free(get->downloads);
}

static int run(int argc, char **argv)
{
    struct get get = {.options = {.connections = 1, .timeout_ms = 30000}};
    (void)argc;
    int status = options_parse(&syntax, argv, &get.options, &get.address);
    if (status == PARSED)
        status = check(&get.options);
    if (status != PARSED)
        return status;
    get.limit = get.options.size.known ? get.options.size.bytes : SIZE_UNKNOWN;
    get.hashing = digest_available() && get.options.abort_after == 0 &&
                  (get.options.compare == NULL || get.options.sha256 != NULL);
    status = download_all(&get);
    clean_up(&get);
    return status;
}

const struct command get_command = {
    .name = "get",
    .summary = "read from a server and check what came",
    .run = run,
};
