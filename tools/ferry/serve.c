/* SPDX-License-Identifier: MIT
 *
 * ferry serve: the command.
 */
#include "serve.h"
#include "options.h"
#include "units.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *parse_mode(const char *text, void *into)
{
    const struct mode *mode = mode_find(text);
    if (mode == NULL)
        return "one of zerocopy, chunk, shared, whole";
    *(const struct mode **)into = mode;
    return NULL;
}

static const char *parse_style(const char *text, void *into)
{
    static const struct style *const styles[] = {&reactor_style, &coroutine_style};
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) {
        if (strcmp(text, styles[i]->name) == 0) {
            *(const struct style **)into = styles[i];
            return NULL;
        }
    }
    return "one of reactor, coroutine";
}

static const char *parse_confine(const char *text, void *into)
{
    static const char *const names[] = {[CONFINE_AUTO] = "auto", [CONFINE_REQUIRE] = "require", [CONFINE_OFF] = "off"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *(enum confine *)into = (enum confine)i;
            return NULL;
        }
    }
    return "one of auto, require, off";
}

static const struct option options[] = {
    {'m', "mode", "MODE", "how: zerocopy (default), chunk, shared or whole", parse_mode,
     offsetof(struct serve_options, mode)},
    {'s', "style", "STYLE", "driven by: reactor (callbacks, default) or coroutine", parse_style,
     offsetof(struct serve_options, style)},
    {'l', "listen", "ADDRESS", "where (default 127.0.0.1:8888; port 0: any)", parse_text,
     offsetof(struct serve_options, listen)},
    {'t', "threads", "N", "loops, one a thread (default: one a core)", parse_threads,
     offsetof(struct serve_options, threads)},
    {'b', "backend", "NAME", "auto (default), epoll or uring", parse_backend, offsetof(struct serve_options, backend)},
    {'r', "rate", "BYTES/S", "limit each connection (default: no limit)", parse_rate,
     offsetof(struct serve_options, rate)},
    {'g', "grace", "SECONDS", "how long SIGTERM lets transfers finish (default 10)", parse_seconds,
     offsetof(struct serve_options, grace_ms)},
    {0, "timeout", "SECONDS", "give up a client that takes nothing for so long (default 90)", parse_timeout,
     offsetof(struct serve_options, timeout_ms)},
    {'u', "user", "NAME", "become that user when it listens; for root", parse_user,
     offsetof(struct serve_options, user)},
    {'c', "confine", "HOW", "auto (default: as far as the kernel can), require or off", parse_confine,
     offsetof(struct serve_options, confine)},
    {'q', "quiet", NULL, "no line on stderr for each connection", parse_flag, offsetof(struct serve_options, quiet)},
};

static const struct syntax syntax = {
    .command = "serve",
    .operand = "FILE",
    .summary = "Sends FILE to each connection, then closes it. What a client says is thrown away.",
    .notes = "Modes: whole reads FILE once into memory; chunk opens it for each connection and sends\n"
             "64 KiB pieces; shared does so with one open file for all; zerocopy leaves it to the kernel.\n"
             "Addresses: 127.0.0.1:8888, [::1]:8888, :8888, localhost:8888, unix:PATH, unix:@NAME.\n"
             "Confined, it can open no file but FILE (chunk: those in its folder), run no program, open no\n"
             "socket, make no connection, should a client ever take it over.\n"
             "Sizes and rates take the suffixes K, M, G and T: 1024 bytes, its square, and so on.\n"
             "\n"
             "'listening on ADDRESS' on stdout tells that it is ready. SIGINT, SIGTERM or SIGHUP: takes no\n"
             "more connections, finishes what is in flight, exits; a second one cuts at once.\n"
             "\n"
             "Exit status: 0 stopped, all done; 1 cannot serve, or something was cut; 2 usage.\n",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int listen_on(struct server *server)
{
    const ferry_service service = stream_service(server);
    server->listener = ferry_listen(server->pool, server->options.listen, &service);
    if (server->listener != NULL)
        return STATUS_DONE;
    if (errno == EINVAL) {
        complain("serve", "--listen: '%s' is not an address (as in 127.0.0.1:8888, unix:PATH)", server->options.listen);
        return STATUS_USAGE;
    }
    complain("serve", "cannot listen on %s: %s", server->options.listen, ferry_strerror(-errno));
    return STATUS_FAILED;
}

/* That it cannot be printed, main() says. */
static bool announce(const struct server *server)
{
    printf("listening on %s\n", ferry_listener_address(server->listener));
    return fflush(stdout) == 0;
}

static int run_pool(struct server *server)
{
    if (!announce(server))
        return STATUS_FAILED;
    tell_rights(server);
    int error = ferry_pool_run(server->pool);
    return error == 0 ? STATUS_DONE : complain_of_pool("serve", -error);
}

static int serve(struct server *server)
{
    const ferry_pool_options pool_options = {
        .threads = server->options.threads,
        .backend = server->options.backend,
        .handle_signals = true,
        .grace_ms = server->options.grace_ms > 0 ? server->options.grace_ms : 1,
    };
    server->pool = ferry_pool_new(&pool_options);
    if (server->pool == NULL)
        return complain_of_pool("serve", errno);
    int status = listen_on(server);
    if (status == STATUS_DONE)
        status = give_up_rights(server);
    if (status == STATUS_DONE)
        status = run_pool(server);
    ferry_pool_free(server->pool);
    unsigned cut = atomic_load(&server->cut);
    if (cut > 0) {
        complain("serve", "%u connection%s cut before the end of the file", cut, cut == 1 ? " was" : "s were");
        status = STATUS_FAILED;
    }
    return status;
}

static int run(int argc, char **argv)
{
    struct server server = {
        .root.fd = -1,
        .options = {.mode = mode_find("zerocopy"),
                    .style = &reactor_style,
                    .listen = "127.0.0.1:8888",
                    .grace_ms = 10000,
                    .timeout_ms = 90000},
    };
    (void)argc;
    int status = options_parse(&syntax, argv, &server.options, &server.path);
    if (status != PARSED)
        return status;
    if (server.options.user.name != NULL && !user_may_become()) {
        complain("serve", "--user: only root can become another user");
        return STATUS_FAILED;
    }
    int error = server.options.mode->prepare(&server);
    if (error == 0) {
        status = serve(&server);
    } else {
        complain("serve", "%s: %s", server.path, file_strerror(error));
        status = STATUS_FAILED;
    }
    root_fini(&server.root);
    ferry_file_unref(server.file);
    ferry_blob_unref(server.blob);
    return status;
}

const struct command serve_command = {
    .name = "serve",
    .summary = "send a file to each connection",
    .run = run,
};
