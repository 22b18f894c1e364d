/* SPDX-License-Identifier: MIT
 *
 * A binary heap of packets.
 */
#include "packets.h"

#include <string.h>

void packets_init(struct packets *packets)
{
    packets->under_way_count = 0;
    packets->unused_count = PACKETS_MOST;
    for (size_t i = 0; i < PACKETS_MOST; i++)
        packets->unused[i] = &packets->all[i];
}

struct packet *packets_new(struct packets *packets)
{
    return packets->unused_count > 0 ? packets->unused[--packets->unused_count] : NULL;
}

struct packet *packets_copy(struct packets *packets, const struct packet *packet)
{
    struct packet *copy = packets_new(packets);
    if (copy)
        memcpy(copy, packet, sizeof *copy);
    return copy;
}

void packets_free(struct packets *packets, struct packet *packet)
{
    packets->unused[packets->unused_count++] = packet;
}

bool packets_full(const struct packets *packets)
{
    return packets->unused_count == 0;
}

static bool before(const struct packet *a, const struct packet *b)
{
    return a->due < b->due || (a->due == b->due && a->serial < b->serial);
}

static void swap(struct packet **a, struct packet **b)
{
    struct packet *kept = *a;
    *a = *b;
    *b = kept;
}

void packets_push(struct packets *packets, struct packet *packet)
{
    struct packet **heap = packets->under_way;
    size_t at = packets->under_way_count++;
    packet->serial = packets->serial++;
    heap[at] = packet;
    for (; at > 0 && before(heap[at], heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&heap[at], &heap[(at - 1) / 2]);
}

struct packet *packets_first(const struct packets *packets)
{
    return packets->under_way_count > 0 ? packets->under_way[0] : NULL;
}

void packets_pop(struct packets *packets)
{
    struct packet **heap = packets->under_way;
    size_t count = --packets->under_way_count, at = 0, child;
    heap[0] = heap[count];
    while ((child = 2 * at + 1) < count) {
        if (child + 1 < count && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], heap[at]))
            return;
        swap(&heap[at], &heap[child]);
        at = child;
    }
}
