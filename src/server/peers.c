/* SPDX-License-Identifier: MIT
 *
 * server: a hash table from source addresses to counts. An entry lives while its count is not zero. All Unix peers are
 * one.
 */
#include "server/peers.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 64 };

struct fy_peer {
    struct fy_peer *next;
    unsigned char key[16]; /* an IPv6 address; IPv4 is mapped into it */
    unsigned count;
};

void fy_peers_init(struct fy_peers *p)
{
    memset(p, 0, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
}

void fy_peers_fini(struct fy_peers *p)
{
    for (unsigned i = 0; i < p->size; i++)
        while (p->buckets[i]) {
            struct fy_peer *peer = p->buckets[i];
            p->buckets[i] = peer->next;
            free(peer);
        }
    free(p->buckets);
    pthread_mutex_destroy(&p->lock);
}

static void make_key(const struct fy_sockaddr *address, unsigned char key[16])
{
    memset(key, 0, 16);
    if (address->storage.ss_family == AF_INET6) {
        memcpy(key, &((const struct sockaddr_in6 *)&address->storage)->sin6_addr, 16);
    } else if (address->storage.ss_family == AF_INET) {
        key[10] = key[11] = 0xff;
        memcpy(key + 12, &((const struct sockaddr_in *)&address->storage)->sin_addr, 4);
    }
}

/* FNV-1a (draft-eastlake-fnv). Whoever can choose many source addresses has better attacks than long chains. */
static struct fy_peer **bucket(struct fy_peer **buckets, unsigned size, const unsigned char key[16])
{
    uint32_t hash = 2166136261U;
    for (int i = 0; i < 16; i++)
        hash = (hash ^ key[i]) * 16777619U;
    return &buckets[hash & (size - 1)];
}

static int grow(struct fy_peers *p)
{
    unsigned size = p->size ? p->size * 2 : FIRST_SIZE;
    struct fy_peer **buckets = calloc(size, sizeof(struct fy_peer *));
    if (!buckets)
        return -ENOMEM;
    for (unsigned i = 0; i < p->size; i++)
        while (p->buckets[i]) {
            struct fy_peer *peer = p->buckets[i];
            struct fy_peer **to = bucket(buckets, size, peer->key);
            p->buckets[i] = peer->next;
            peer->next = *to;
            *to = peer;
        }
    free(p->buckets);
    p->buckets = buckets;
    p->size = size;
    return 0;
}

static int enter(struct fy_peers *p, const unsigned char key[16], unsigned most, struct fy_peer **found)
{
    if (p->count >= p->size && grow(p) < 0 && p->size == 0)
        return -ENOMEM;
    struct fy_peer **at = bucket(p->buckets, p->size, key);
    struct fy_peer *peer = *at;
    while (peer && memcmp(peer->key, key, 16) != 0)
        peer = peer->next;
    if (!peer) {
        peer = calloc(1, sizeof *peer);
        if (!peer)
            return -ENOMEM;
        memcpy(peer->key, key, 16);
        peer->next = *at;
        *at = peer;
        p->count++;
    }
    if (peer->count >= most)
        return -EUSERS;
    peer->count++;
    *found = peer;
    return 0;
}

int fy_peers_enter(struct fy_peers *p, const struct fy_sockaddr *address, unsigned most, struct fy_peer **peer)
{
    unsigned char key[16];
    make_key(address, key);
    pthread_mutex_lock(&p->lock);
    int result = enter(p, key, most, peer);
    pthread_mutex_unlock(&p->lock);
    return result;
}

void fy_peers_leave(struct fy_peers *p, struct fy_peer *peer)
{
    pthread_mutex_lock(&p->lock);
    if (--peer->count == 0) {
        struct fy_peer **at = bucket(p->buckets, p->size, peer->key);
        while (*at != peer)
            at = &(*at)->next;
        *at = peer->next;
        p->count--;
        free(peer);
    }
    pthread_mutex_unlock(&p->lock);
}
