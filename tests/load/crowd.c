/* SPDX-License-Identifier: MIT
 *
 * Connections that are held, and speak now and then: load_crowd COUNT ECHO...
 *
 * COUNT connections, to the addresses in turn. It says when they are open; then it reads from stdin, each time, for how
 * many milliseconds to go on: so long, and for one round at least, one after the other sends a message and looks at
 * each byte of the echo. It prints how many did, and how long that took. At the end of stdin all half-close, and wait
 * for the end.
 */
#include "client.h"
#include "pattern.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MESSAGE = 64, BREATH_US = 5000 };

struct member {
    int fd;
    struct pattern out, in;
};

static struct sample times;

static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void join(struct member *member, unsigned long number, const char *address)
{
    const struct sockaddr_in to = client_address(address);
    const struct timeval patience = {.tv_sec = client_patience_ms() / 1000};
    *member = (struct member){.out.seed = number, .in.seed = number};
    member->fd = client_connect(&to, number, 0);
    if (member->fd < 0)
        errx(1, "connection %lu is refused: %s", number, strerror(-member->fd));
    (void)setsockopt(member->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(member->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

static void speak(struct member *member)
{
    char bytes[MESSAGE];
    uint64_t began = client_now_us();
    pattern_fill(&member->out, bytes, sizeof bytes);
    if (send(member->fd, bytes, sizeof bytes, MSG_NOSIGNAL) != sizeof bytes)
        err(1, "connection %ju: send", (uintmax_t)member->out.seed);
    ssize_t got = recv(member->fd, bytes, sizeof bytes, MSG_WAITALL);
    if (got != sizeof bytes)
        errx(1, "connection %ju: %zd bytes of %d came back: %s", (uintmax_t)member->out.seed, got, MESSAGE,
             got < 0 ? strerror(errno) : "its end");
    if (pattern_match(&member->in, bytes, sizeof bytes) != sizeof bytes)
        errx(1, "connection %ju: byte %ju came back as another", (uintmax_t)member->out.seed, (uintmax_t)member->in.at);
    sample_add(&times, client_now_us() - began);
}

static void go_on(struct member *members, size_t count, unsigned long ms)
{
    uint64_t end = client_now_us() + ms * 1000;
    times.count = 0;
    do {
        for (size_t i = 0; i < count; i++)
            speak(&members[i]);
        (void)usleep(BREATH_US);
    } while (client_now_us() < end);
    (void)printf("messages %ju p50_us %u p99_us %u max_us %u\n", (uintmax_t)times.count, sample_percentile(&times, 50),
                 sample_percentile(&times, 99), sample_percentile(&times, 100));
    (void)fflush(stdout);
}

/* Who closes at once may be forgotten by the kernel before the server's FIN comes, when there are many; and resets it
 * then. */
static void leave(struct member *members, size_t count)
{
    char byte;
    for (size_t i = 0; i < count; i++)
        (void)shutdown(members[i].fd, SHUT_WR);
    for (size_t i = 0; i < count; i++) {
        ssize_t got = recv(members[i].fd, &byte, 1, 0);
        if (got != 0)
            errx(1, "connection %zu: no end, but %s", i, got > 0 ? "a byte" : strerror(errno));
        (void)close(members[i].fd);
    }
}

int main(int argc, char **argv)
{
    char line[64];
    if (argc < 3)
        errx(2, "usage: load_crowd COUNT ECHO...");
    size_t count = client_number(argv[1]);
    struct member *members = calloc(count + 1, sizeof *members);
    if (!members)
        err(1, "load_crowd");
    raise_limit();
    uint64_t began = client_now_us();
    for (size_t i = 0; i < count; i++)
        join(&members[i], i, argv[2 + i % (size_t)(argc - 2)]);
    (void)printf("open %zu ms %ju\n", count, (uintmax_t)(client_now_us() - began) / 1000);
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        go_on(members, count, client_number(line));
    leave(members, count);
    free(members);
    return EXIT_SUCCESS;
}
