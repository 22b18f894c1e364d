/* SPDX-License-Identifier: MIT
 *
 * server: how many connections each source address has open. For listeners with max_conns_per_peer.
 */
#ifndef FY_SERVER_PEERS_H
#define FY_SERVER_PEERS_H

#include "sys/addr.h"

#include <pthread.h>

struct fy_peer;

struct fy_peers {
    pthread_mutex_t lock; /* connections end on other loops than the one that accepts */
    struct fy_peer **buckets;
    unsigned count, size; /* peers; buckets, a power of two */
};

void fy_peers_init(struct fy_peers *peers);
void fy_peers_fini(struct fy_peers *peers);

/* Counts one more from that address, the port left aside. 0 with `*peer` to give back; -EUSERS: it has `most` already;
 * -ENOMEM. */
int fy_peers_enter(struct fy_peers *peers, const struct fy_sockaddr *address, unsigned most, struct fy_peer **peer);
void fy_peers_leave(struct fy_peers *peers, struct fy_peer *peer);

#endif
