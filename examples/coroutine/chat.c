/* SPDX-License-Identifier: MIT
 *
 * Chat: what one says goes to all, the one who says it included. Messages are framed as common/frame.h draws it. The
 * idea: one loop can send to the connections of all. The coroutine that received a message puts it into one blob,
 * header and all, and sends that to every member itself, whichever loop the member is on: nothing is copied for a
 * receiver, nothing is posted, and no lock is held meanwhile (common/room.h). What one member says comes to all in its
 * order.
 *
 * Nobody waits for a member who reads too slowly: when --max-pending bytes are waiting for it, it has to go.
 *
 *   $ ./chat --threads 2 &
 *   $ ./chat_client 127.0.0.1:2024
 */
#include "descriptors.h"
#include "example.h"
#include "frame_recv.h"
#include "room.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>

/* What one may be behind with; it is always more than one message, or nobody could get a long one. */
enum { PENDING_DEFAULT = 8 << 20, PENDING_MIN = FRAME_MAX, PENDING_MAX = 1 << 30 };

/* The frame becomes the blob's, and goes out as it came in, so its header need not be made again. */
static bool say(struct room *room, char *frame, size_t size)
{
    ferry_blob *blob = ferry_blob_wrap(frame, size, free);
    if (!blob) {
        free(frame);
        return false;
    }
    room_say(room, blob);
    ferry_blob_unref(blob);
    return true;
}

/* Says what a member sends, until it ends: 0, or why. */
static ssize_t converse(ferry_conn *conn, struct room *room)
{
    char *frame;
    ssize_t size;
    while ((size = frame_recv(conn, &frame)) > 0) {
        if (!say(room, frame, (size_t)size))
            return -ENOMEM;
    }
    return size;
}

static void log_end(const char *name, ssize_t reason)
{
    if (reason == -ENOBUFS)
        warnx("%s is dropped: it reads too slowly, and too much is waiting for it", name);
    else if (reason == -EMSGSIZE)
        warnx("%s is sent away: a message of more than %d bytes", name, FRAME_BODY_MAX);
    else if (reason == -ENOMEM)
        warnx("%s is sent away: no memory for its message", name);
}

static void chat(ferry_conn *conn, void *room)
{
    char name[128] = ""; /* its address; when a connection has closed the kernel does not know it any more */
    ferry_conn_peer(conn, name, sizeof name);
    if (room_enter(room, conn) < 0) {
        warnx("no memory for one more member");
        return;
    }
    ssize_t reason = converse(conn, room);
    room_leave(room, conn);
    log_end(name, reason);
}

int main(int argc, char **argv)
{
    unsigned long max_pending = PENDING_DEFAULT;
    const example_flag own[] = {{.name = "max-pending",
                                 .value = "BYTES",
                                 .help = "how much may wait for one who reads slowly (default: 8388608)",
                                 .number = &max_pending,
                                 .min = PENDING_MIN,
                                 .max = PENDING_MAX},
                                {0}};
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2024", .flags = own});
    descriptors_raise();
    struct room room;
    if (room_init(&room) < 0)
        errx(EXIT_FAILURE, "no memory for the room");
    ferry_service service = {
        .arg = &room,
        .name = "chat",
        .serve = chat,
        .high_water = max_pending, /* not below max_pending, so that no send parks: a broadcast waits for nobody */
        .max_pending = max_pending,
    };
    int status = example_serve(&flags, &service);
    room_fini(&room);
    return status;
}
