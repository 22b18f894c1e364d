/* SPDX-License-Identifier: MIT
 *
 * The sums of pingpong.h, in the words of the classic test's client, whose output is read by scripts.
 */
#include "pingpong.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void allocate(struct pingpong *test)
{
    test->sessions = calloc(test->count, sizeof *test->sessions);
    test->block = malloc(test->size);
    if (!test->sessions || !test->block)
        err(EXIT_FAILURE, "cannot start");
    for (unsigned long i = 0; i < test->count; i++)
        test->sessions[i].test = test;
    for (unsigned long i = 0; i < test->size; i++)
        test->block[i] = (char)(i % 128);
}

void pingpong_init(struct pingpong *test, int argc, char **argv)
{
    *test = (struct pingpong){.client.patience_s = CLIENT_PATIENCE_S, .count = 1, .size = 16384, .seconds = 10};
    const example_flag own[] = {
        {"sessions", "N", "connections (default: 1)", &test->count, 1, 100000, NULL},
        {"size", "BYTES", "of the block that goes back and forth (default: 16384)", &test->size, 1, PINGPONG_SIZE_MAX,
         NULL},
        {"seconds", "S", "for how long (default: 10)", &test->seconds, 1, 86400, NULL},
        {"patience", "SECONDS", "how long the server may say nothing (default: 30)", &test->client.patience_s, 1, 3600,
         NULL},
        {0},
    };
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS", .flags = own});
    allocate(test);
    client_init(&test->client, &flags, test->count);
}

void pingpong_judge(const struct pingpong_session *session, int reason)
{
    struct client *client = &session->test->client;
    if (session->sent == 0)
        client_fail_connect(client, reason);
    else if (reason < 0 && reason != -ECANCELED)
        client_fail(client, "a session broke: %s", ferry_strerror(reason));
    else if (session->ended && !session->over)
        client_fail(client, "the server ended a session before its time");
    else if (session->ended && session->received != session->sent)
        client_fail(client, "of %" PRIu64 " bytes sent %" PRIu64 " came back", session->sent, session->received);
    else if (session->ended)
        client_done(client);
}

static int report(const struct pingpong *test)
{
    uint64_t bytes = 0, reads = 0;
    for (unsigned long i = 0; i < test->count; i++) {
        bytes += test->sessions[i].received;
        reads += test->sessions[i].reads;
    }
    printf("%" PRIu64 " total bytes read\n%" PRIu64 " total messages read\n", bytes, reads);
    printf("%.2f average message size\n", (double)bytes / (double)reads);
    printf("%.2f MiB/s throughput\n", (double)bytes / (double)test->seconds / (1 << 20));
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    warn("cannot write to stdout");
    return EXIT_FAILURE;
}

int pingpong_run(struct pingpong *test)
{
    int status = client_run(&test->client);
    if (status == EXIT_SUCCESS)
        status = report(test);
    free(test->sessions);
    free(test->block);
    return status;
}
