/* SPDX-License-Identifier: MIT
 *
 * The sums of file_latency.h.
 */
#include "file_latency.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS_MIN = 2 };

static void place_downloads(struct file_latency *test)
{
    unsigned long others = ferry_pool_size(test->client.pool) - 1;
    for (unsigned long i = 0; i < test->downloads; i++) {
        test->each[i].test = test;
        test->each[i].loop = others > 0 ? 1 + i % others : 0;
    }
}

void file_latency_init(struct file_latency *test, int argc, char **argv)
{
    *test = (struct file_latency){
        .client.patience_s = CLIENT_PATIENCE_S, .downloads = 8, .messages = 10000, .phase = &test->alone};
    const example_flag own[] = {
        {"downloads", "N", "at a time (default: 8)", &test->downloads, 1, 10000, NULL},
        {"messages", "N", "sent alone, and again beside the downloads (default: 10000)", &test->messages, 1, 1000000000,
         NULL},
        {"patience", "SECONDS", "how long the server may say nothing (default: 30)", &test->client.patience_s, 1, 3600,
         NULL},
        {0},
    };
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS", .flags = own});
    if (flags.pool.threads == 1)
        flags.pool.threads = THREADS_MIN;
    test->each = calloc(test->downloads, sizeof *test->each);
    if (!test->each)
        err(EXIT_FAILURE, "cannot start");
    client_init(&test->client, &flags, 1);
    place_downloads(test);
}

size_t file_latency_ask(struct file_latency *test)
{
    int len = snprintf(test->line, sizeof test->line, "message %llu\n", (unsigned long long)test->phase->count);
    test->sent_ns = latency_now();
    return (size_t)len;
}

bool file_latency_take(struct file_latency *test, const char *line, size_t len)
{
    uint64_t ns = latency_now() - test->sent_ns;
    if (len != strlen(test->line) || memcmp(line, test->line, len) != 0) {
        client_fail(&test->client, "the server sends back something else");
        return false;
    }
    latency_add(test->phase, ns);
    return !file_latency_is_complete(test);
}

bool file_latency_is_complete(const struct file_latency *test)
{
    return test->phase->count == test->messages;
}

void file_latency_begin(struct file_latency *test)
{
    test->phase = &test->beside;
    test->bytes_before = atomic_load(&test->bytes);
    test->began_ns = latency_now();
}

void file_latency_finish(struct file_latency *test)
{
    test->took_ns = latency_now() - test->began_ns;
    test->bytes_after = atomic_load(&test->bytes);
    client_done(&test->client);
    ferry_pool_stop(test->client.pool); /* a second time: nobody wants the rest of the downloads */
}

void file_latency_end(struct file_latency *test)
{
    if (atomic_load(&test->client.left) > 0)
        client_fail(&test->client, "the server closed the connection of the messages");
}

void file_latency_close(struct file_latency *test, int reason)
{
    if (!test->opened)
        client_fail_connect(&test->client, reason);
    else if (reason < 0 && reason != -ECANCELED)
        client_fail(&test->client, "the connection of the messages broke: %s", ferry_strerror(reason));
}

bool file_latency_receive(struct file_latency_download *download, size_t len)
{
    struct file_latency *test = download->test;
    bool is_first = download->got == 0;
    download->got += len;
    atomic_fetch_add(&test->bytes, len);
    return is_first && atomic_fetch_add(&test->begun, 1) + 1 == test->downloads;
}

bool file_latency_again(struct file_latency_download *download, int reason)
{
    struct client *client = &download->test->client;
    bool is_whole = download->opened && download->ended && download->got > 0;
    if (!download->opened)
        client_fail_connect(client, reason);
    else if (!is_whole && download->ended)
        client_fail(client, "the server has sent an empty file");
    else if (!is_whole && reason < 0 && reason != -ECANCELED)
        client_fail(client, "a download broke: %s", ferry_strerror(reason));
    download->opened = download->ended = false;
    download->got = 0;
    return is_whole;
}

static void report(const struct file_latency *test)
{
    char alone[LATENCY_LINE_MAX], beside[LATENCY_LINE_MAX];
    latency_format(&test->alone, alone, sizeof alone);
    latency_format(&test->beside, beside, sizeof beside);
    double mib = (double)(test->bytes_after - test->bytes_before) / (1 << 20);
    printf("messages alone: %s\n", alone);
    printf("beside %lu downloads: %s\n", test->downloads, beside);
    printf("the downloads got %.1f MiB meanwhile, %.1f MiB/s\n", mib, mib / ((double)test->took_ns / 1e9));
}

int file_latency_run(struct file_latency *test)
{
    int status = client_run(&test->client);
    free(test->each);
    if (status != EXIT_SUCCESS)
        return status;
    report(test);
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    warn("cannot write to stdout");
    return EXIT_FAILURE;
}
