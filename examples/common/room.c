/* SPDX-License-Identifier: MIT
 *
 * The list of room.h, copied when it must change while somebody reads it.
 */
#include "room.h"

#include <errno.h>
#include <stdlib.h>

struct roll {
    unsigned refs; /* the room's, and one a reader; under the room's lock */
    size_t count, capacity;
    ferry_conn *conns[];
};

static struct roll *new_roll(size_t capacity)
{
    struct roll *new = malloc(sizeof *new + capacity * sizeof(ferry_conn *));
    if (new)
        *new = (struct roll){.refs = 1, .capacity = capacity};
    return new;
}

static void free_roll(struct roll *old)
{
    for (size_t i = 0; i < old->count; i++)
        ferry_conn_unref(old->conns[i]);
    free(old);
}

static struct roll *borrow(struct room *room)
{
    pthread_mutex_lock(&room->lock);
    struct roll *roll = room->roll;
    roll->refs++;
    pthread_mutex_unlock(&room->lock);
    return roll;
}

static void give_back(struct room *room, struct roll *roll)
{
    pthread_mutex_lock(&room->lock);
    bool last = --roll->refs == 0;
    pthread_mutex_unlock(&room->lock);
    if (last)
        free_roll(roll);
}

/* Makes the room's list one that may be changed, and has a place free; with the lock held. A full one doubles. */
static struct roll *make_changeable(struct room *room)
{
    struct roll *old = room->roll;
    bool full = old->count == old->capacity;
    if (old->refs == 1 && !full)
        return old;
    struct roll *new = new_roll(full ? old->capacity * 2 : old->capacity);
    if (!new)
        return NULL;
    for (; new->count < old->count; new->count++)
        new->conns[new->count] = ferry_conn_ref(old->conns[new->count]);
    room->roll = new;
    if (--old->refs == 0)
        free_roll(old);
    return new;
}

int room_init(struct room *room)
{
    room->roll = new_roll(16);
    return room->roll ? -pthread_mutex_init(&room->lock, NULL) : -ENOMEM;
}

void room_fini(struct room *room)
{
    free_roll(room->roll);
    pthread_mutex_destroy(&room->lock);
}

int room_enter(struct room *room, ferry_conn *conn)
{
    pthread_mutex_lock(&room->lock);
    struct roll *roll = make_changeable(room);
    if (roll)
        roll->conns[roll->count++] = ferry_conn_ref(conn);
    pthread_mutex_unlock(&room->lock);
    return roll ? 0 : -ENOMEM;
}

static size_t find(const struct roll *roll, const ferry_conn *conn)
{
    size_t at = 0;
    while (at < roll->count && roll->conns[at] != conn)
        at++;
    return at;
}

/* Without memory for a copy, a connection that has closed stays on the list: it costs a send that does nothing. */
void room_leave(struct room *room, ferry_conn *conn)
{
    pthread_mutex_lock(&room->lock);
    size_t at = find(room->roll, conn);
    struct roll *roll = at < room->roll->count ? make_changeable(room) : NULL;
    if (roll)
        roll->conns[at] = roll->conns[--roll->count]; /* the last one takes its place */
    pthread_mutex_unlock(&room->lock);
    if (roll)
        ferry_conn_unref(conn);
}

void room_say(struct room *room, ferry_blob *blob)
{
    struct roll *roll = borrow(room);
    for (size_t i = 0; i < roll->count; i++)
        ferry_send_blob(roll->conns[i], blob);
    give_back(room, roll);
}
