/* SPDX-License-Identifier: MIT
 *
 * Ping-pong, the server of the classic throughput test: sends back what came. The idea: the other answer to a client that
 * does not read. `echo` waits for it; here it may be so far behind, and then it is reset. In the test a client has no
 * more than its block under way, so that honest ones never get there, and no message costs a thought about it. At the
 * end the loops tell what went through them.
 *
 *   $ ./pingpong --threads 2 &
 *   $ ./pingpong_client 127.0.0.1:2010 --sessions 100 --seconds 5
 */
#include "example.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PENDING_MAX = 32 << 20 };

static size_t pass_back(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void report(ferry_pool *pool)
{
    uint64_t received = 0, written = 0;
    for (unsigned i = 0; i < ferry_pool_size(pool); i++) {
        ferry_loop_counters counters;
        ferry_loop_stats(ferry_pool_loop(pool, i), &counters);
        received += counters.received;
        written += counters.written;
    }
    printf("%" PRIu64 " bytes received, %" PRIu64 " sent\n", received, written);
}

int main(int argc, char **argv)
{
    example_flags flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:2010"});
    ferry_service service = {.on_data = pass_back, .max_pending = PENDING_MAX};
    ferry_pool *pool = example_pool(&flags);
    int status = example_listen(pool, flags.listen, &service);
    if (status == EXIT_SUCCESS)
        status = example_run(pool);
    if (status == EXIT_SUCCESS)
        report(pool);
    ferry_pool_free(pool);
    return status;
}
