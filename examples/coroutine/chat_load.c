/* SPDX-License-Identifier: MIT
 *
 * Load for a chat: fills a room with connections, has messages said, and tells when the first, the median and the last
 * of the connections had each of them. The idea: thousands of connections on a few loops, each a coroutine that
 * receives; what one of them says, the loops of all of them measure (common/chat_load.h).
 *
 *   $ ./chat --threads 2 &
 *   $ ./chat_load 127.0.0.1:2024 --connections 1000 --messages 100 --threads 2
 */
#include "chat_load.h"
#include "frame_recv.h"

#include <stdlib.h>

static void receive(ferry_conn *conn, void *member)
{
    char *frame;
    ssize_t size;
    chat_load_opened(member, conn);
    while ((size = frame_recv(conn, &frame)) > 0) {
        chat_load_received(member, frame + FRAME_HEADER, (size_t)size - FRAME_HEADER);
        free(frame);
    }
    chat_load_ended(member, size);
}

/* What has never been open does not receive. */
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
    ferry_service service = {.name = "member", .serve = receive, .on_close = end};
    return chat_load_run(&load, &service);
}
