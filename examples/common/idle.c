/* SPDX-License-Identifier: MIT
 *
 * The counts of idle.h.
 */
#include "idle.h"

#include "descriptors.h"
#include "latency.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>

/* So many connect at a time, fewer than a listener's queue has room for; and so many descriptors are for other things, the
 * loops' among them. */
enum { AT_A_TIME = 256, SPARE = 100 };

static void find_descriptors(unsigned long connections)
{
    unsigned long limit = descriptors_raise();
    if (limit < connections + SPARE)
        errx(EXIT_FAILURE, "%lu connections need %lu descriptors, and only %lu are allowed (ulimit -Hn)", connections,
             connections + SPARE, limit);
}

void idle_init(struct idle *idle, int argc, char **argv)
{
    *idle = (struct idle){.count = 10000};
    const example_flag own[] = {
        {"connections", "N", "to hold open (default: 10000)", &idle->count, 1, 10000000, NULL},
        {0},
    };
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS", .flags = own});
    find_descriptors(idle->count);
    idle->conns = calloc(idle->count, sizeof *idle->conns);
    if (!idle->conns)
        err(EXIT_FAILURE, "cannot start");
    client_init(&idle->client, &flags, 0);
    idle->began_ns = latency_now();
}

static double seconds_since(uint64_t ns)
{
    return (double)(latency_now() - ns) / 1e9;
}

static void connect_next(struct idle *idle)
{
    unsigned long i = atomic_fetch_add(&idle->started, 1);
    if (i >= idle->count)
        return;
    ferry_service service = idle->service;
    service.arg = &idle->conns[i];
    idle->conns[i].idle = idle;
    client_connect(&idle->client, i, &service);
}

void idle_open(struct idle_conn *conn)
{
    struct idle *idle = conn->idle;
    conn->opened = true;
    if (atomic_fetch_add(&idle->opened, 1) + 1 == idle->count)
        client_say(&idle->client, "%lu connections opened after %.1f s\n", idle->count, seconds_since(idle->began_ns));
    connect_next(idle);
}

static void fail_connect(struct idle *idle, int reason)
{
    if (reason == -EADDRNOTAVAIL)
        client_fail(&idle->client,
                    "%lu connections are open, and no port is left for one more to %s; one to another address has one",
                    atomic_load(&idle->opened), idle->client.address);
    else
        client_fail_connect(&idle->client, reason);
}

void idle_close(struct idle_conn *conn, int reason)
{
    struct idle *idle = conn->idle;
    if (!conn->opened) {
        fail_connect(idle, reason);
    } else if (conn->ended || reason == -ECONNRESET) {
        if (atomic_fetch_add(&idle->closed, 1) + 1 == idle->count)
            ferry_pool_stop(idle->client.pool);
    } else if (reason < 0 && reason != -ECANCELED) {
        client_fail(&idle->client, "a connection broke: %s", ferry_strerror(reason));
    }
}

static int report(const struct idle *idle)
{
    unsigned long opened = atomic_load(&idle->opened), closed = atomic_load(&idle->closed);
    if (opened < idle->count) {
        warnx("interrupted when %lu connections were open", opened);
        return EXIT_FAILURE;
    }
    printf("%lu closed by the server, %lu by us, after %.1f s\n", closed, opened - closed,
           seconds_since(idle->began_ns));
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    warn("cannot write to stdout");
    return EXIT_FAILURE;
}

int idle_run(struct idle *idle)
{
    for (int i = 0; i < AT_A_TIME; i++)
        connect_next(idle);
    int status = client_run(&idle->client);
    if (status == EXIT_SUCCESS)
        status = report(idle);
    free(idle->conns);
    return status;
}
