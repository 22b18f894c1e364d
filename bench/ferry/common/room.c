/* SPDX-License-Identifier: MIT
 *
 * bench: the connections of one loop; see room.h.
 */
#include "room.h"

#include <err.h>

enum { ROOM_MAX = 20000 };

static ferry_conn *room[ROOM_MAX];
static size_t people;

static void sit(ferry_conn *conn, size_t place)
{
    room[place] = conn;
    ferry_conn_set_context(conn, &room[place], NULL);
}

void room_enter(ferry_conn *conn)
{
    if (people == ROOM_MAX)
        errx(1, "the room is full");
    sit(conn, people++);
}

void room_leave(ferry_conn *conn)
{
    ferry_conn **place = ferry_conn_context(conn);
    if (place)
        sit(room[--people], (size_t)(place - room));
}

void room_say(const void *data, size_t len)
{
    ferry_blob *blob = ferry_blob_new(data, len);
    if (!blob)
        err(1, "a message");
    for (size_t i = 0; i < people; i++)
        ferry_send_blob(room[i], blob);
    ferry_blob_unref(blob);
}
