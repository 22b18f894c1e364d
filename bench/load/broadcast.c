/* SPDX-License-Identifier: MIT
 *
 * load: one connection sends a message, all of them get it; then it sends the next. The unit is a message received.
 */
#include "load.h"

static char message[LOAD_SINK];

/* One message, from the newest of `count` connections to all of them. */
static void broadcast(load *l, long count)
{
    struct epoll_event events[LOAD_EVENTS];
    size_t left = (size_t)(count * l->size);
    load_send(l->fds[count - 1], message, (size_t)l->size);
    while (left > 0) {
        int ready = epoll_wait(l->epoll, events, LOAD_EVENTS, -1);
        for (int i = 0; i < ready; i++)
            left -= load_discard(l->fds[events[i].data.u32]);
    }
}

void load_broadcast(load *l)
{
    long messages = 0;
    load_open(l, broadcast);
    load_window window = load_window_open(l, l->conns);
    while (load_window_goes_on(&window, messages)) {
        broadcast(l, l->conns);
        messages += l->conns;
    }
    load_print(load_window_close(&window, messages));
    load_close(l);
}
