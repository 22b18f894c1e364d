/* SPDX-License-Identifier: MIT
 *
 * Time (RFC 868): the seconds since 1900 as 32 bits, big end first, then the end. The idea: a message is bytes, and what
 * order they come in is for the protocol to say, not for the processor.
 *
 *   $ ./time &
 *   $ nc 127.0.0.1 2037 | xxd
 */
#include "example.h"

#include <arpa/inet.h>
#include <time.h>

/* From 1900, where the protocol begins to count, to 1970, where time() does. */
static const uint32_t SECONDS_TO_1970 = 2208988800;

static void send_time(ferry_conn *conn, void *arg)
{
    (void)arg;
    uint32_t seconds = htonl((uint32_t)time(NULL) + SECONDS_TO_1970); /* wraps in 2036, as the protocol does */
    ferry_send(conn, &seconds, sizeof seconds);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2037"});
    ferry_service service = {.name = "time", .serve = send_time};
    return example_serve(&flags, &service);
}
