/* SPDX-License-Identifier: MIT
 *
 * The stage of a scene: a pool whose one loop is turned by hand, a watched service, and the other ends of its connections, plain
 * sockets that are pumped between two turns. All on one thread, so that the k-th call is the same one each time.
 *
 * Whatever fails, a scene has to come to its end, and at that these hold:
 *   - the watch has seen what it checks of each connection (harness/watch.h): on_close once, above all;
 *   - what an end has received is the beginning of what was sent to it, and if its input has ended in order, all of it;
 *   - no descriptor, no memory, no mapping, no thread of the library's is left.
 */
#ifndef FERRY_TEST_STAGE_H
#define FERRY_TEST_STAGE_H

#include "case.h"
#include "pattern.h"
#include "watch.h"

#include <ferry/ferry.h>
#include <stdatomic.h>

enum { STAGE_ENDS = 8 };

enum { TINY = 4096, BIG = 100 * 1000 }; /* bytes: a buffer that is soon full, and what does not fit into it */

/* The other end of a connection. */
struct end {
    int fd;             /* -1: it is closed */
    bool gone;          /* its input has ended, */
    int error;          /* and how: 0 or errno */
    int failed;         /* what a write has ended with, or 0 */
    bool shut, no_more; /* its FIN is out; or to follow what it writes */
    bool holds;         /* does not read for now */
    bool echoes;        /* sends back what it receives, its end too */
    struct pattern out, in;
    uint64_t goal;     /* bytes of `out` to be written */
    uint64_t expected; /* bytes that its input has when it ends in order; 0 = it is not looked at */
    void (*take)(struct end *end, const char *data, size_t len); /* instead of `in`'s check; or NULL */
};

struct stage {
    ferry_pool *pool;
    ferry_loop *loop;
    ferry_listener *listener;
    const char *address;
    struct watch watch;
    bool over;  /* the loop has ended */
    bool clean; /* no faults this time: all has to go well */
    bool closed;
    bool threads; /* the pool runs on threads of its own: its loops are not turned */
    pthread_t runner;
    int plain; /* a plain listening socket, whose connections become ends that echo; -1: none */
    char plain_address[64];
    struct end ends[STAGE_ENDS];
    int count;
    ferry_backend backend;
    void *own; /* the scene's */
};

/* Makes the pool, and the listener at `address` unless that is NULL. False: it cannot be, and the scene is over. */
bool stage_open(struct stage *stage, const ferry_service *service, const char *address);
bool stage_open_with(struct stage *stage, const ferry_service *service, const char *address,
                     const ferry_pool_options *options);

/* Ends that echo wait at plain_address from now on. */
void stage_listen(struct stage *stage);

/* A new end, connected to the listener, with a receive buffer of so many bytes, 0 = the kernel's. */
struct end *stage_end(struct stage *stage, int receive_buffer);

/* One that sends so much and wants the same back: the service sends what it receives, so both streams are one. */
void stage_echoed_end(struct stage *stage, uint64_t bytes);

/* Turns until it is so. When that takes long the faults end, and it has to be so after all. */
void stage_until(struct stage *stage, bool (*so)(struct stage *stage));

bool stage_all_accepted(struct stage *stage); /* or refused */
bool stage_all_closed(struct stage *stage);   /* as many connections as there were opened, and at least one each end */

/* Turns for so long. */
void stage_turn_for(struct stage *stage, unsigned ms);

/* All ends write no more than they have; they, and the connections, come to their end. */
void stage_end_all(struct stage *stage);

/* All of a scene whose one end is sent BIG bytes, and takes nothing at first. */
void stage_play_held(struct stage *stage, const ferry_service *service);

/* In the end: closes the ends, stops and frees the pool, and checks; once. Also after a stage_open() that was refused. */
void stage_close(struct stage *stage);

#endif
