/* SPDX-License-Identifier: MIT
 *
 * Tutorial, step 2, reactor style: a chat. The first line a client sends is its name, every other goes to all the rest.
 * docs/tutorial.md explains it.
 */
#include "example.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 32, LINE = 512, BACKLOG = 1 << 20 }; /* bytes at most */

static const char welcome[] = "welcome\n";

struct member {
    struct member *next;
    ferry_conn *conn;
    char name[NAME]; /* "Ada: " */
    size_t name_len; /* 0: has not said it yet, and is not in the room */
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
static bool set_name(struct member *me, const char *line, size_t len)
{
    if (len + 1 > sizeof me->name)
        return false;
    memcpy(me->name, line, len - 1);
    memcpy(me->name + len - 1, ": ", 2);
    me->name_len = len + 1;
    return true;
}

static bool handle_line(ferry_conn *conn, struct room *room, const char *line, size_t len)
{
    struct member *me = ferry_conn_context(conn);
    if (len > LINE)
        return false;
    if (me->name_len > 0)
        say(room, me, line, len);
    else if (set_name(me, line, len))
        enter(room, me);
    return me->name_len > 0;
}

static void on_open(ferry_conn *conn, void *arg)
{
    (void)arg;
    struct member *me = calloc(1, sizeof *me);
    if (!me) {
        ferry_abort(conn);
        return;
    }
    me->conn = conn;
    ferry_conn_set_context(conn, me, free);
}

/* What is not a whole line yet comes again, with more. */
static size_t on_data(ferry_conn *conn, const void *data, size_t len, void *room)
{
    const char *line = data, *all = line + len, *end;
    bool fine = true;
    while (fine && (end = memchr(line, '\n', (size_t)(all - line)))) {
        fine = handle_line(conn, room, line, (size_t)(end + 1 - line));
        line = end + 1;
    }
    if (!fine || all - line >= LINE)
        ferry_close(conn);
    return (size_t)(line - (const char *)data);
}

static void on_close(ferry_conn *conn, int reason, void *room)
{
    (void)reason;
    leave(room, ferry_conn_context(conn));
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2023"});
    struct room room = {.lock = PTHREAD_MUTEX_INITIALIZER};
    ferry_service service = {
        .arg = &room,
        .on_open = on_open,
        .on_data = on_data,
        .on_close = on_close,
        .max_pending = BACKLOG, /* who does not read what the others say has to go */
    };
    return example_serve(&flags, &service);
}
