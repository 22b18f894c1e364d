/* SPDX-License-Identifier: MIT
 *
 * An end of a connection, and what is under way from it.
 */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "sim.h"

/* NET_DELIVER, NET_ACK and NET_RESET are on the way from this end to the other, or back; the rest come to this end. */
enum net_event { NET_DELIVER, NET_ACK, NET_RESET, NET_CONNECT, NET_EDGE, NET_EVENTS };

struct flow {
    unsigned char *ring;
    size_t size, send_cap, receive_cap;
    uint64_t written, delivered, read, acked;
    uint64_t acked_at; /* nanoseconds; when that changed last */
    bool fin, fin_delivered, fin_acked;
};

struct sim_end {
    struct sim_end *other;
    int fd; /* 0 = not accepted yet, -1 = closed by its program */
    unsigned port;
    bool client, connecting, established;
    bool was_reset; /* or has reset: nothing moves any more */
    bool got_reset;
    bool full; /* SOCK_NOSPACE: somebody was told that there is no room, and is to be told when there is */
    int error; /* pending: -errno, or 0 */
    unsigned listener;
    uint64_t at[NET_EVENTS]; /* 0 = not to come */
    struct flow out;
};

/* To be delivered; delivered, and not read; and what there is room for, with the sender and with the receiver. */
static inline uint64_t net_queued(const struct flow *flow)
{
    return flow->written - flow->delivered;
}

static inline uint64_t net_unread(const struct flow *flow)
{
    return flow->delivered - flow->read;
}

static inline size_t net_room(const struct flow *flow)
{
    return flow->send_cap - (size_t)(flow->written - flow->acked);
}

static inline uint64_t net_window(const struct flow *flow)
{
    return flow->receive_cap - net_unread(flow);
}

void net_event(struct sim_end *end, enum net_event event); /* it will happen, if it will not already */
void net_look(struct sim_end *end);                        /* there may be something to deliver now */
void net_reset(struct sim_end *end);                       /* this end resets */

#endif
