/* SPDX-License-Identifier: MIT
 *
 * load: one connection that threads of the server send messages on, as fast as it takes them. A byte with their number
 * starts them, the end of the connection stops them. The unit is a message, as the receiver sees it.
 */
#include "load.h"

#include <err.h>

void load_feed(load *l)
{
    char threads = (char)l->threads;
    long bytes = 0;
    l->conns = 1;
    l->fds[0] = load_connect(l);
    load_send(l->fds[0], &threads, 1);
    load_window window = load_window_open(l, 1);
    while (load_window_goes_on(&window, bytes / l->size)) {
        size_t got = load_discard(l->fds[0]);
        if (got == 0)
            errx(1, "load: the server has closed a connection");
        bytes += (long)got;
    }
    load_result result = load_window_close(&window, bytes / l->size);
    load_close(l);
    load_print(result);
}
