/* SPDX-License-Identifier: MIT
 *
 * load: ping-pong. Each connection sends `depth` messages at once and waits until all of them have come back. The unit is
 * a message.
 */
#include "load.h"

#include "bench.h"

#include <stdlib.h>

static char *message, *answer;
static size_t *left; /* by connection: bytes of the answer still to come */
static size_t whole;

static void ask(const load *l, long index)
{
    left[index] = whole;
    load_send(l->fds[index], message, whole);
}

/* Returns how many messages are back. */
static long take(const load *l, long index)
{
    left[index] -= load_recv(l->fds[index], answer, whole);
    if (left[index] > 0)
        return 0;
    ask(l, index);
    return l->depth;
}

static load_result play(const load *l)
{
    struct epoll_event events[LOAD_EVENTS];
    long messages = 0;
    for (long i = 0; i < l->conns; i++)
        ask(l, i);
    load_window window = load_window_open(l, l->conns * l->depth);
    while (load_window_goes_on(&window, messages)) {
        int count = epoll_wait(l->epoll, events, LOAD_EVENTS, -1);
        for (int i = 0; i < count; i++)
            messages += take(l, events[i].data.u32);
    }
    return load_window_close(&window, messages);
}

void load_pingpong(load *l)
{
    whole = (size_t)(l->size * l->depth);
    message = calloc(1, whole);
    answer = malloc(whole);
    left = calloc((size_t)l->conns, sizeof *left);
    if (!message || !answer || !left)
        bench_die("load: pingpong");
    load_open(l, load_exchange);
    load_print(play(l));
    load_close(l);
    free(message);
    free(answer);
    free(left);
}
