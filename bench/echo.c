/* SPDX-License-Identifier: MIT
 *
 * bench: the server's CPU time an echoed message: echo ROUNDS SERVER...
 *
 * Each SERVER runs on core 0, the load on core 1. In each round each server in turn has one second of ping-pong with 64
 * connections; the ratio to the first server is taken within the round, since the machine's speed drifts between rounds.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 64, SERVERS = 8, ROUNDS = 99, SIZE_MAX_BYTES = 16384 };

struct server {
    char *program;
    pid_t pid;
    int epoll;
    int left[65536]; /* by descriptor: bytes of its message still to come back */
    int fds[CONNECTIONS];
    double microseconds[ROUNDS], ratio[ROUNDS];
};

static char message[SIZE_MAX_BYTES];

static void start(struct server *s)
{
    char *const argv[] = {s->program, "--listen", "127.0.0.1:0", NULL};
    int port = 0;
    s->pid = bench_start(argv, 0, &port);
    s->epoll = epoll_create1(0);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = s->fds[i] = bench_connect(port);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void ask(struct server *s, int fd, int size)
{
    s->left[fd] = size;
    if (send(fd, message, (size_t)size, 0) != size)
        exit(1);
}

static double play(struct server *s, int size, double seconds)
{
    struct epoll_event events[CONNECTIONS];
    char buf[SIZE_MAX_BYTES];
    long messages = 0;
    int under_way = CONNECTIONS;
    double began = bench_now(), cpu = bench_cpu(s->pid);
    for (int i = 0; i < CONNECTIONS; i++)
        ask(s, s->fds[i], size);
    while (under_way > 0) {
        int n = epoll_wait(s->epoll, events, CONNECTIONS, -1);
        double now = bench_now();
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t got = recv(fd, buf, sizeof buf, 0);
            if (got <= 0)
                exit(1);
            s->left[fd] -= (int)got;
            if (s->left[fd] > 0)
                continue;
            messages++;
            if (now - began < seconds)
                ask(s, fd, size);
            else
                under_way--;
        }
    }
    return (bench_cpu(s->pid) - cpu) * 1e6 / (double)messages;
}

static void compare(struct server *servers, int count, int rounds, int size)
{
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            servers[i].microseconds[round] = play(&servers[i], size, 1);
            servers[i].ratio[round] = servers[i].microseconds[round] / servers[0].microseconds[round];
        }
    for (int i = 0; i < count; i++)
        printf("%-40s %6d bytes  %7.3f us a message  %6.3f of the first\n", servers[i].program, size,
               bench_median(servers[i].microseconds, rounds), bench_median(servers[i].ratio, rounds));
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? bench_count(argv[1]) : 0;
    int count = argc - 2;
    if (rounds < 1 || rounds > ROUNDS || count > SERVERS) {
        fprintf(stderr, "usage: echo ROUNDS SERVER... (at most %d rounds, %d servers)\n", (int)ROUNDS, (int)SERVERS);
        return 2;
    }
    struct server *servers = calloc((size_t)count, sizeof *servers);
    bench_pin(1);
    for (int i = 0; i < count; i++) {
        servers[i].program = argv[i + 2];
        start(&servers[i]);
    }
    compare(servers, count, rounds, 64);
    compare(servers, count, rounds, SIZE_MAX_BYTES);
    for (int i = 0; i < count; i++)
        bench_stop(servers[i].pid);
    free(servers);
    return 0;
}
