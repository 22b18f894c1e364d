/* SPDX-License-Identifier: MIT
 *
 * Daytime (RFC 867): one line with the date, then the end. The idea: ferry_close() right after a send is safe. It comes
 * behind what was sent, and the connection is gone only when the client has it all.
 *
 *   $ ./daytime &
 *   $ nc 127.0.0.1 2013
 */
#include "example.h"

#include <time.h>

static void send_daytime(ferry_conn *conn, void *arg)
{
    (void)arg;
    char line[80];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    size_t len = strftime(line, sizeof line, "%A, %B %d, %Y %H:%M:%S-%Z\r\n", &local);
    ferry_send(conn, line, len);
    ferry_close(conn);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2013"});
    ferry_service service = {.on_open = send_daytime};
    return example_serve(&flags, &service);
}
