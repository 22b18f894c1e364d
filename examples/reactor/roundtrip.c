/* SPDX-License-Identifier: MIT
 *
 * Roundtrip: fills its time into each message of sixteen bytes and sends it back. The idea: frames of a fixed length. TCP
 * brings bytes, not messages: on_data takes the whole ones and leaves the rest, which comes again with more.
 *
 *   $ ./roundtrip &
 *   $ ./roundtrip_client 127.0.0.1:2012
 */
#include "clock_message.h"
#include "example.h"

#include <string.h>

static size_t answer(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    size_t done = 0;
    unsigned char message[CLOCK_MESSAGE_SIZE];
    for (; len - done >= sizeof message; done += sizeof message) {
        memcpy(message, (const char *)data + done, sizeof message);
        clock_message_answer(message, clock_now_us());
        ferry_send(conn, message, sizeof message);
    }
    return done;
}

static void stop_reading(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_pause(conn);
}

static void read_on(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    ferry_conn_resume(conn);
}

/* The client asks no more, and still wants its answers. */
static void finish(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_shutdown(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2012"});
    ferry_service service = {
        .on_data = answer,
        .on_eof = finish,
        .on_high_water = stop_reading,
        .on_low_water = read_on,
    };
    return example_serve(&flags, &service);
}
