/* SPDX-License-Identifier: MIT
 *
 * Roundtrip: fills its time into each message of sixteen bytes and sends it back. The idea: frames of a fixed length. TCP
 * brings bytes, not messages: ferry_recv_exact() parks until a whole one is there.
 *
 *   $ ./roundtrip &
 *   $ ./roundtrip_client 127.0.0.1:2012
 */
#include "clock_message.h"
#include "example.h"

static void answer(ferry_conn *conn, void *arg)
{
    (void)arg;
    unsigned char message[CLOCK_MESSAGE_SIZE];
    while (ferry_recv_exact(conn, message, sizeof message) == sizeof message) {
        clock_message_answer(message, clock_now_us());
        ferry_send(conn, message, sizeof message);
    }
    /* The client asks no more, and still wants its answers. */
    ferry_flush(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2012"});
    ferry_service service = {.name = "roundtrip", .serve = answer};
    return example_serve(&flags, &service);
}
