/* SPDX-License-Identifier: MIT
 *
 * co: channels: a ring of items under a lock, and two lists of those who wait for room or for items.
 */
#include "co/sleep.h"

#include <errno.h>
#include <ferry/sync.h>
#include <stdlib.h>
#include <string.h>

struct ferry_channel {
    pthread_mutex_t lock;
    struct fy_list senders, receivers;
    size_t item_size, capacity, first, count; /* items */
    bool closed;
    char items[];
};

ferry_channel *ferry_channel_new(size_t item_size, size_t capacity)
{
    if (item_size == 0 || capacity == 0 || capacity > (SIZE_MAX / 2 - sizeof(ferry_channel)) / item_size) {
        errno = EINVAL;
        return NULL;
    }
    ferry_channel *channel = malloc(sizeof *channel + item_size * capacity);
    if (!channel)
        return NULL;
    memset(channel, 0, sizeof *channel);
    pthread_mutex_init(&channel->lock, NULL);
    fy_list_init(&channel->senders);
    fy_list_init(&channel->receivers);
    channel->item_size = item_size;
    channel->capacity = capacity;
    return channel;
}

void ferry_channel_free(ferry_channel *channel)
{
    if (!channel)
        return;
    pthread_mutex_lock(&channel->lock); /* whoever was last may not have let go of it yet */
    pthread_mutex_unlock(&channel->lock);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

static char *slot(ferry_channel *channel, size_t at)
{
    return channel->items + (channel->first + at) % channel->capacity * channel->item_size;
}

/* With the lock. */

static int put(ferry_channel *channel, const void *item)
{
    if (channel->closed)
        return -EPIPE;
    if (channel->count == channel->capacity)
        return -EAGAIN;
    memcpy(slot(channel, channel->count++), item, channel->item_size);
    fy_wake_first(&channel->receivers);
    return 0;
}

static int get(ferry_channel *channel, void *item)
{
    if (channel->count == 0)
        return channel->closed ? 0 : -EAGAIN;
    memcpy(item, slot(channel, 0), channel->item_size);
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
    fy_wake_first(&channel->senders);
    return 1;
}

int ferry_channel_try_send(ferry_channel *channel, const void *item)
{
    pthread_mutex_lock(&channel->lock);
    int result = put(channel, item);
    pthread_mutex_unlock(&channel->lock);
    return result;
}

int ferry_channel_try_recv(ferry_channel *channel, void *item)
{
    pthread_mutex_lock(&channel->lock);
    int result = get(channel, item);
    pthread_mutex_unlock(&channel->lock);
    return result;
}

/* Being woken is a hint: another may have been faster, and then the wait goes on. */

int ferry_channel_send(ferry_channel *channel, const void *item)
{
    int result;
    pthread_mutex_lock(&channel->lock);
    while ((result = put(channel, item)) == -EAGAIN) {
        result = fy_sleep(&channel->senders, &channel->lock, "ferry_channel_send", channel);
        if (result < 0)
            break;
    }
    pthread_mutex_unlock(&channel->lock);
    return result;
}

int ferry_channel_recv(ferry_channel *channel, void *item)
{
    int result;
    pthread_mutex_lock(&channel->lock);
    while ((result = get(channel, item)) == -EAGAIN) {
        result = fy_sleep(&channel->receivers, &channel->lock, "ferry_channel_recv", channel);
        if (result < 0)
            break;
    }
    pthread_mutex_unlock(&channel->lock);
    return result;
}

void ferry_channel_close(ferry_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel->closed = true;
    fy_wake_all(&channel->senders);
    fy_wake_all(&channel->receivers);
    pthread_mutex_unlock(&channel->lock);
}
