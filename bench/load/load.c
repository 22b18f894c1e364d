/* SPDX-License-Identifier: MIT
 *
 * load: the command line: load LOAD PORT PID [NAME=VALUE]..., where PORT of 127.0.0.1 is served by the process PID.
 */
#include "load.h"

#include "bench.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct kind {
    const char *name;
    void (*run)(load *l);
    const char *help;
} kinds[] = {
    {"pingpong", load_pingpong, "conns, size, depth: each connection sends and waits for the echo"},
    {"feed", load_feed, "size, threads: one connection, fed by threads of the server"},
    {"broadcast", load_broadcast, "conns, size: each message goes to all connections"},
    {"download", load_download, "conns, bytes, request: each connection fetches the file once"},
    {"storm", load_storm, "conns, size: connect, one echo (size=0: none), close; conns at a time"},
    {"idle", load_idle, "conns, size: one echo each, then silence; the memory it costs"},
    {"latency", load_latency, "conns, size: one connection of small echoes beside conns of bulk"},
};

static _Noreturn void usage(void)
{
    fprintf(stderr,
            "usage: load LOAD PORT PID [NAME=VALUE]...; values: conns size depth threads bytes seconds request\n");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        fprintf(stderr, "  %-10s %s\n", kinds[i].name, kinds[i].help);
    exit(2);
}

static const struct kind *find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    usage();
}

static double parse_seconds(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || seconds <= 0)
        errx(2, "seconds takes a time, not '%s'", text);
    return seconds;
}

static void set(load *l, char *option)
{
    const struct {
        const char *name;
        long *value;
    } numbers[] = {
        {"conns", &l->conns}, {"size", &l->size}, {"depth", &l->depth}, {"threads", &l->threads}, {"bytes", &l->bytes},
    };
    char *value = strchr(option, '=');
    if (!value)
        usage();
    *value++ = '\0';
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(option, numbers[i].name) == 0) {
            *numbers[i].value = strcmp(value, "0") == 0 ? 0 : bench_number(option, value);
            return;
        }
    }
    if (strcmp(option, "request") == 0)
        l->request = value;
    else if (strcmp(option, "seconds") == 0)
        l->seconds = parse_seconds(value);
    else
        usage();
}

int main(int argc, char **argv)
{
    if (argc < 4)
        usage();
    const struct kind *kind = find(argv[1]);
    load l = {.conns = 1, .size = 64, .depth = 1, .threads = 1, .request = "", .seconds = 0.3};
    l.port = (int)bench_number("PORT", argv[2]);
    l.pid = (pid_t)bench_number("PID", argv[3]);
    for (int i = 4; i < argc; i++)
        set(&l, argv[i]);
    if ((errno = clock_getcpuclockid(l.pid, &l.clock)) != 0)
        bench_die("the CPU clock of the server");
    l.epoll = epoll_create1(0);
    l.fds = calloc((size_t)l.conns, sizeof *l.fds);
    if (l.epoll < 0 || !l.fds)
        bench_die("load");
    kind->run(&l);
    free(l.fds);
    return 0;
}
