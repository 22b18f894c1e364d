/* SPDX-License-Identifier: MIT
 *
 * load: all connections at once fetch the file, each once and to its end. The unit is a GiB. A transfer that is short, or
 * longer than the header of an answer explains, is an error.
 */
#include "bench.h"
#include "load.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_MAX = 1024 };

static void start(load *l)
{
    for (long i = 0; i < l->conns; i++) {
        l->fds[i] = load_connect(l);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->fds[i], &event) != 0)
            bench_die("load: epoll_ctl");
        load_send(l->fds[i], l->request, strlen(l->request));
    }
}

/* Returns 1 when that connection has ended. */
static long take(const load *l, long index, long *received)
{
    size_t got = load_discard(l->fds[index]);
    received[index] += (long)got;
    if (got > 0)
        return 0;
    long extra = received[index] - l->bytes;
    if (extra < 0 || extra > (*l->request ? HEADER_MAX : 0))
        errx(1, "load: a download of %ld bytes gave %ld", l->bytes, received[index]);
    close(l->fds[index]);
    return 1;
}

static void fetch(load *l, long *received)
{
    struct epoll_event events[LOAD_EVENTS];
    long left = l->conns;
    start(l);
    while (left > 0) {
        int count = epoll_wait(l->epoll, events, LOAD_EVENTS, -1);
        for (int i = 0; i < count; i++)
            left -= take(l, events[i].data.u32, received);
    }
}

void load_download(load *l)
{
    long *received = calloc((size_t)l->conns, sizeof *received);
    if (!received)
        bench_die("load: download");
    double cpu = load_cpu(l), began = bench_now();
    fetch(l, received);
    load_result result = {.units = (double)l->bytes * (double)l->conns / (1 << 30), .seconds = bench_now() - began};
    load_settle(l);
    result.cpu = load_cpu(l) - cpu;
    load_print(result);
    free(received);
}
