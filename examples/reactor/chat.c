/* SPDX-License-Identifier: MIT
 *
 * Chat: what one says goes to all, the one who says it included. Messages are framed as common/frame.h draws it. The
 * idea: one loop can send to the connections of all. The loop that received a message puts it into one blob, header
 * and all, and sends that to every member itself, whichever loop the member is on: nothing is copied for a receiver,
 * nothing is posted, and no lock is held meanwhile (common/room.h). What one member says comes to all in its order.
 *
 * Nobody waits for a member who reads too slowly: when --max-pending bytes are waiting for it, it has to go.
 *
 *   $ ./chat --threads 2 &
 *   $ ./chat_client 127.0.0.1:2024
 */
#include "descriptors.h"
#include "example.h"
#include "frame.h"
#include "room.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>

/* What one may be behind with; it is always more than one message, or nobody could get a long one. */
enum { PENDING_DEFAULT = 8 << 20, PENDING_MIN = FRAME_MAX, PENDING_MAX = 1 << 30 };

/* A member's name: its address, for the log. When a connection has closed the kernel does not know it any more. */
struct name {
    char text[128];
};

/* A frame goes out as it came in, so its header need not be made again. */
static bool say(struct room *room, const void *frame, size_t size)
{
    ferry_blob *blob = ferry_blob_new(frame, size);
    if (!blob)
        return false;
    room_say(room, blob);
    ferry_blob_unref(blob);
    return true;
}

/* Says each message that is there whole: how many bytes that is, or why the member cannot stay. */
static ssize_t say_all(struct room *room, const char *data, size_t len)
{
    size_t done = 0;
    struct frame frame;
    int found;
    while ((found = frame_parse(data + done, len - done, &frame)) > 0) {
        if (!say(room, data + done, frame.size))
            return -ENOMEM;
        done += frame.size;
    }
    return found < 0 ? found : (ssize_t)done;
}

static void log_end(const ferry_conn *conn, ssize_t reason)
{
    const struct name *name = ferry_conn_context(conn);
    if (reason == -ENOBUFS)
        warnx("%s is dropped: it reads too slowly, and too much is waiting for it", name->text);
    else if (reason == -EMSGSIZE)
        warnx("%s is sent away: a message of more than %d bytes", name->text, FRAME_BODY_MAX);
    else if (reason == -ENOMEM)
        warnx("%s is sent away: no memory for its message", name->text);
}

static void enter(ferry_conn *conn, void *room)
{
    struct name *name = calloc(1, sizeof *name);
    if (!name || room_enter(room, conn) < 0) {
        warnx("no memory for one more member");
        free(name);
        ferry_close(conn);
        return;
    }
    ferry_conn_peer(conn, name->text, sizeof name->text);
    ferry_conn_set_context(conn, name, free);
}

/* What is not a whole message yet comes again, with more. */
static size_t receive(ferry_conn *conn, const void *data, size_t len, void *room)
{
    ssize_t done = say_all(room, data, len);
    if (done >= 0)
        return (size_t)done;
    log_end(conn, done);
    ferry_close(conn);
    return len;
}

static void leave(ferry_conn *conn, int reason, void *room)
{
    room_leave(room, conn);
    log_end(conn, reason);
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
        .on_open = enter,
        .on_data = receive,
        .on_close = leave,
        .max_pending = max_pending,
    };
    int status = example_serve(&flags, &service);
    room_fini(&room);
    return status;
}
