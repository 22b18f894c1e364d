/* SPDX-License-Identifier: MIT
 *
 * A descriptor, and the table of them.
 */
#ifndef SIM_KERNEL_H
#define SIM_KERNEL_H

#include "sim.h"

enum sim_kind { FD_CLOSED, FD_SOCKET, FD_LISTENER, FD_EPOLL, FD_BELL, FD_FILE };

enum { BACKLOG = 32 };

struct descriptor {
    struct sim_end *end; /* a socket's, once it connects */
    struct sim_end *arrived[BACKLOG];
    char *bytes; /* of a file */
    size_t len, cut;
    void *data; /* for whoever watches it: */
    int epoll;  /* or 0 */
    uint32_t events;
    enum sim_kind kind;
    unsigned port; /* of a listener */
    unsigned arrivals;
    bool reset_on_close;
    bool rung;
    bool ready; /* something has happened since it was told last */
};

/* A caller's mistake is the end of the run. */
struct descriptor *sim_fd(int fd);
struct descriptor *sim_fd_of(int fd, enum sim_kind kind);
int sim_fd_new(enum sim_kind kind);

#endif
