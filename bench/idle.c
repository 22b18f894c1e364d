/* SPDX-License-Identifier: MIT
 *
 * bench: what an idle connection costs the server: idle COUNT SERVER...
 *
 * Each SERVER (an echo) gets COUNT connections that send a message, get it back, and say no more. Printed is how much its
 * resident memory grew, by connection. Warmed up with one connection, so that what is there once is not counted.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void say_hello(int fd)
{
    char text[64] = "hello";
    if (write(fd, text, sizeof text) != sizeof text || read(fd, text, sizeof text) != sizeof text) {
        fprintf(stderr, "idle: no echo\n");
        exit(1);
    }
}

static void measure(char *server, int count)
{
    char *const argv[] = {server, "--listen", "127.0.0.1:0", NULL};
    int port = 0;
    int *fds = calloc((size_t)count, sizeof *fds);
    pid_t pid = bench_start(argv, 0, &port);
    int first = bench_connect(port);
    say_hello(first);
    long before = bench_rss(pid);
    for (int i = 0; i < count; i++) {
        fds[i] = bench_connect(port);
        say_hello(fds[i]);
    }
    printf("%-40s %6d connections  %7.0f bytes each\n", server, count, (double)(bench_rss(pid) - before) / count);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    close(first);
    free(fds);
    bench_stop(pid);
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? bench_count(argv[1]) : 0;
    if (count <= 0) {
        fprintf(stderr, "usage: idle COUNT SERVER...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++)
        measure(argv[i], count);
    return 0;
}
