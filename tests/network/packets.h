/* SPDX-License-Identifier: MIT
 *
 * The packets that are on a wire: a fixed number of them, those under way in a heap by when they are due. Packets due at the
 * same time come out in the order in which they went in.
 */
#ifndef FERRY_TEST_PACKETS_H
#define FERRY_TEST_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKETS_MOST = 1000, PACKET_BYTES = 2048 };

struct packet {
    uint64_t due;    /* nanoseconds */
    uint64_t serial; /* the order in which they went in */
    int to;          /* which end it comes out of */
    unsigned len;
    unsigned char data[PACKET_BYTES];
};

struct packets {
    struct packet all[PACKETS_MOST];
    struct packet *unused[PACKETS_MOST], *under_way[PACKETS_MOST];
    size_t unused_count, under_way_count;
    uint64_t serial;
};

void packets_init(struct packets *packets);

/* One to be filled in, NULL when all are under way; a copy of one; and giving it back. */
struct packet *packets_new(struct packets *packets);
struct packet *packets_copy(struct packets *packets, const struct packet *packet);
void packets_free(struct packets *packets, struct packet *packet);

bool packets_full(const struct packets *packets);

/* On its way until `due`; the one that is due first, NULL when there is none; and taking that one off. */
void packets_push(struct packets *packets, struct packet *packet);
struct packet *packets_first(const struct packets *packets);
void packets_pop(struct packets *packets);

#endif
