/* SPDX-License-Identifier: MIT
 *
 * load: one connection of small messages, one after the other, beside `conns` that have bulk echoed as fast as it goes,
 * with a bounded amount under way each. Measured is how long each small message took, there and back. The unit is a
 * small message.
 */
#include "bench.h"
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { PIECE = 64 << 10, UNDER_WAY = 2 * PIECE, SAMPLES = 1 << 20 };

static char message[PIECE];
static double *samples;
static long count;
static size_t left; /* of the small message */
static double asked;
static double bulk; /* bytes back */

static void ask(const load *l, int fd)
{
    left = (size_t)l->size;
    asked = bench_now();
    load_send(fd, message, left);
}

/* Looked at after each piece of bulk, so that this process adds little to what it measures. */
static void look(const load *l, int fd)
{
    char answer[PIECE];
    ssize_t got = recv(fd, answer, left, MSG_DONTWAIT);
    if (got < 0 && errno != EAGAIN)
        bench_die("load: recv");
    if (got > 0)
        left -= (size_t)got;
    if (left > 0)
        return;
    if (count < SAMPLES)
        samples[count++] = bench_now() - asked;
    ask(l, fd);
}

static void begin(load *l)
{
    load_open(l, load_exchange);
    for (long i = 0; i < l->conns; i++) {
        for (int sent = 0; sent < UNDER_WAY; sent += PIECE)
            load_send(l->fds[i], message, PIECE);
    }
}

static void pass_on(const load *l, long index)
{
    size_t got = load_recv(l->fds[index], message, PIECE);
    load_send(l->fds[index], message, got);
    bulk += (double)got;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(double part)
{
    long index = (long)(part * (double)(count - 1));
    return samples[index] * 1e6;
}

static void print(load_result result)
{
    qsort(samples, (size_t)count, sizeof *samples, by_value);
    printf("{\"units\": %.0f, \"seconds\": %.9f, \"cpu\": %.9f, \"bulk\": %.0f, ", result.units, result.seconds,
           result.cpu, bulk);
    printf("\"p50\": %.3f, \"p99\": %.3f, \"p999\": %.3f, \"max\": %.3f}\n", percentile(0.5), percentile(0.99),
           percentile(0.999), percentile(1));
}

static load_result play(load *l, int small)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)l->conns};
    epoll_ctl(l->epoll, EPOLL_CTL_ADD, small, &event);
    ask(l, small);
    load_window window = load_window_open(l, 1);
    bool warm = true;
    while (load_window_goes_on(&window, count)) {
        if (warm && window.warm == 0) { /* what was seen before does not count */
            warm = false;
            window.units = count = 0;
            bulk = 0;
        }
        if (epoll_wait(l->epoll, &event, 1, -1) == 1 && event.data.u32 < l->conns)
            pass_on(l, event.data.u32);
        look(l, small);
    }
    return load_window_close(&window, count);
}

void load_latency(load *l)
{
    samples = calloc(SAMPLES, sizeof *samples);
    if (!samples)
        bench_die("load: latency");
    int small = load_connect(l);
    begin(l);
    print(play(l, small));
    load_close(l);
    free(samples);
}
