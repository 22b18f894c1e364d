/* SPDX-License-Identifier: MIT
 *
 * load: the load generator: one process, one thread, one epoll, and nothing of ferry in it. It puts one load on one
 * server, measures between two looks at the server's CPU clock, and prints what it saw as one line of JSON.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <time.h>

enum { LOAD_EVENTS = 256, LOAD_SINK = 1 << 20 };

typedef struct load {
    int port;
    pid_t pid;
    clockid_t clock; /* the server's CPU clock */

    /* From the command line, as name=value. */
    long conns;
    long size;           /* bytes of a message */
    long depth;          /* messages sent at once, before the answers are waited for */
    long threads;        /* of the server, that feed one connection */
    long bytes;          /* of the file to be downloaded */
    const char *request; /* sent by who wants a file; "" = none */
    double seconds;

    int epoll;
    int *fds; /* of the connections; an event's data.u32 is the index */
} load;

/* A stretch of time, measured from the end of a warm-up on. It is not over before so much was done that what was under way
 * at its two ends, already paid for or not yet, does not matter. */
typedef struct load_window {
    const load *load;
    double warm, end; /* times; warm = 0 when measuring has begun */
    double began, cpu;
    long round; /* units until each connection has had its turn: one round of warm-up, at least five measured */
    long units; /* done when it began */
} load_window;

/* What a load measured. */
typedef struct load_result {
    double units, seconds, cpu;
} load_result;

int load_connect(const load *l); /* blocking, without Nagle's delay */

/* Opens all connections and has epoll watch them. `ready` is called now and then, with how many are open so far, and
 * returns when the server has accepted them all, so that its backlog never overflows. */
void load_open(load *l, void (*ready)(load *l, long count));
void load_close(load *l);

void load_send(int fd, const void *data, size_t len); /* all of it */
size_t load_recv(int fd, void *buf, size_t cap);      /* at least a byte; a server that has closed is an error */
void load_recv_all(int fd, size_t len);               /* into nowhere */
size_t load_discard(int fd);                          /* what is there, without copying it; 0 = end */

/* Sends one message on the newest connection and waits for it to come back. */
void load_exchange(load *l, long count);

double load_cpu(const load *l);
void load_settle(const load *l); /* waits until the server is idle */

load_window load_window_open(const load *l, long round);
bool load_window_goes_on(load_window *w, long units);
load_result load_window_close(const load_window *w, long units);
void load_print(load_result result);

/* The loads; see load.c for what each is. */
void load_pingpong(load *l);
void load_feed(load *l);
void load_broadcast(load *l);
void load_download(load *l);
void load_storm(load *l);
void load_idle(load *l);
void load_latency(load *l);

#endif
