/* SPDX-License-Identifier: MIT
 *
 * load: short connections, `conns` of them at a time: connect; with size=0 wait for the server's end, otherwise send a
 * message and wait for its echo; close; and the next. The unit is a connection.
 */
#include "bench.h"
#include "load.h"

#include <unistd.h>

static char message[LOAD_SINK];

static void begin(load *l, long index)
{
    l->fds[index] = load_connect(l);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->fds[index], &event) != 0)
        bench_die("load: epoll_ctl");
    load_send(l->fds[index], message, (size_t)l->size);
}

static void end(load *l, long index)
{
    load_discard(l->fds[index]);
    close(l->fds[index]);
    begin(l, index);
}

void load_storm(load *l)
{
    struct epoll_event events[LOAD_EVENTS];
    long done = 0;
    for (long i = 0; i < l->conns; i++)
        begin(l, i);
    load_window window = load_window_open(l, l->conns);
    while (load_window_goes_on(&window, done)) {
        int count = epoll_wait(l->epoll, events, LOAD_EVENTS, -1);
        for (int i = 0; i < count; i++)
            end(l, events[i].data.u32);
        done += count;
    }
    load_print(load_window_close(&window, done));
    load_close(l);
}
