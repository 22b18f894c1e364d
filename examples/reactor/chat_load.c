/* SPDX-License-Identifier: MIT
 *
 * Load for a chat: fills a room with connections, has messages said, and tells when the first, the median and the last
 * of the connections had each of them. The idea: thousands of connections on a few loops, driven by three callbacks;
 * what one of them says, the loops of all of them measure (common/chat_load.h).
 *
 *   $ ./chat --threads 2 &
 *   $ ./chat_load 127.0.0.1:2024 --connections 1000 --messages 100 --threads 2
 */
#include "chat_load.h"
#include "frame.h"

static void begin(ferry_conn *conn, void *member)
{
    chat_load_opened(member, conn);
}

static size_t receive(ferry_conn *conn, const void *data, size_t len, void *member)
{
    size_t done = 0;
    struct frame frame;
    int found;
    while ((found = frame_parse((const char *)data + done, len - done, &frame)) > 0) {
        chat_load_received(member, frame.body, frame.length);
        done += frame.size;
    }
    if (found == 0)
        return done;
    chat_load_ended(member, found);
    ferry_abort(conn);
    return len;
}

static void finish(ferry_conn *conn, void *member)
{
    chat_load_ended(member, 0);
    ferry_close(conn);
}

static void end(ferry_conn *conn, int reason, void *member)
{
    (void)conn;
    if (reason < 0)
        chat_load_ended(member, reason);
}

int main(int argc, char **argv)
{
    static struct chat_load load; /* its histograms are large */
    chat_load_init(&load, argc, argv);
    ferry_service service = {.on_open = begin, .on_data = receive, .on_eof = finish, .on_close = end};
    return chat_load_run(&load, &service);
}
