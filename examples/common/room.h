/* SPDX-License-Identifier: MIT
 *
 * Who is in the chat: a list that some loops read while others change it.
 *
 * A broadcast goes through thousands of members. A lock held all the while would stop each loop that has something to
 * say, or lets somebody in. So a list that is being read does not change. Whoever reads it holds a reference, and the
 * lock only to take it; who comes or goes meanwhile changes a copy, which takes the list's place. While nobody reads,
 * the list itself is changed: when ten thousand come, one after the other, that is not ten thousand copies.
 *
 * A list has a reference to each of its connections. One that has closed since is sent to in vain, but safely.
 *
 * All functions are for any thread. None of them waits for more than the lock, as long as no send to a member parks.
 */
#ifndef ROOM_H
#define ROOM_H

#include <ferry/ferry.h>
#include <pthread.h>

struct room {
    pthread_mutex_t lock; /* over `roll`, the pointer and its count of references */
    struct roll *roll;
};

/* An empty room: 0, or -ENOMEM. */
int room_init(struct room *room);
void room_fini(struct room *room);

/* Lets a connection in: 0, or -ENOMEM. What is said from now on is sent to it. */
int room_enter(struct room *room, ferry_conn *conn);

/* Takes it out. What is being said at this moment may still be sent to it. One that is not there is ignored. */
void room_leave(struct room *room, ferry_conn *conn);

/* Sends the same bytes to all who are there, the one who says it included. */
void room_say(struct room *room, ferry_blob *blob);

#endif
