/* SPDX-License-Identifier: MIT
 *
 * Discard (RFC 863): reads and throws away. The idea: on_data says how many bytes it is done with, and these are gone.
 *
 *   $ ./discard &
 *   $ nc -N 127.0.0.1 2009 < /etc/services
 */
#include "example.h"

static size_t discard(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn, (void)data, (void)arg;
    return len;
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2009"});
    ferry_service service = {.on_data = discard};
    return example_serve(&flags, &service);
}
