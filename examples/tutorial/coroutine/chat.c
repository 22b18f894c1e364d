/* SPDX-License-Identifier: MIT
 *
 * Tutorial, step 2, coroutine style: a chat. The first line a client sends is its name, every other goes to all the rest.
 * docs/tutorial.md explains it.
 */
#include "example.h"

#include <pthread.h>
#include <string.h>

enum { NAME = 32, LINE = 512, BACKLOG = 1 << 20 }; /* bytes at most */

static const char welcome[] = "welcome\n";

struct member {
    struct member *next;
    ferry_conn *conn;
    char name[NAME]; /* "Ada: " */
    size_t name_len;
};

struct room {
    pthread_mutex_t lock; /* the members are on several loops */
    struct member *first;
};

static void enter(struct room *room, struct member *me)
{
    pthread_mutex_lock(&room->lock);
    me->next = room->first;
    room->first = me;
    pthread_mutex_unlock(&room->lock);
    ferry_send(me->conn, welcome, sizeof welcome - 1);
}

static void leave(struct room *room, const struct member *me)
{
    pthread_mutex_lock(&room->lock);
    for (struct member **at = &room->first; *at; at = &(*at)->next)
        if (*at == me) {
            *at = me->next;
            break;
        }
    pthread_mutex_unlock(&room->lock);
}

/* One call, one run of bytes: whoever else sends to that member, name and line stay together. */
static void say(struct room *room, struct member *me, const char *line, size_t len)
{
    const struct iovec message[] = {{me->name, me->name_len}, {(char *)line, len}};
    pthread_mutex_lock(&room->lock);
    for (const struct member *other = room->first; other; other = other->next)
        if (other != me)
            ferry_sendv(other->conn, message, 2);
    pthread_mutex_unlock(&room->lock);
}

/* The line's end becomes ": ". */
static bool recv_name(struct member *me)
{
    ssize_t len = ferry_recv_until(me->conn, me->name, sizeof me->name - 1, "\n");
    if (len <= 0)
        return false;
    memcpy(me->name + len - 1, ": ", 2);
    me->name_len = (size_t)len + 1;
    return true;
}

static void chat(ferry_conn *conn, void *room)
{
    struct member me = {.conn = conn};
    char line[LINE];
    ssize_t len;
    if (!recv_name(&me))
        return;
    enter(room, &me);
    while ((len = ferry_recv_until(conn, line, sizeof line, "\n")) > 0)
        say(room, &me, line, (size_t)len);
    leave(room, &me);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2023"});
    struct room room = {.lock = PTHREAD_MUTEX_INITIALIZER};
    ferry_service service = {
        .arg = &room,
        .name = "chat",
        .serve = chat,
        .high_water = BACKLOG,  /* not below max_pending, so that no send ever parks: say() holds a lock */
        .max_pending = BACKLOG, /* who does not read what the others say has to go */
    };
    return example_serve(&flags, &service);
}
