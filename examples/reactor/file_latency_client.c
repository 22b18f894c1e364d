/* SPDX-License-Identifier: MIT
 *
 * File latency, the client: how long small messages take, first alone, then while the same server sends its file N times
 * over. The idea: the parts of a program run on different loops, and tell each other by ferry_post(): the download that
 * begins last has the messages go on, on their own loop.
 *
 *   $ ./file_latency FILE &
 *   $ ./file_latency_client 127.0.0.1:2016 --downloads 8
 */
#include "file_latency.h"

#include <string.h>

static ferry_conn *prober; /* the connection of the messages, while it is open; of loop 0 */

static void ask(struct file_latency *test)
{
    size_t len = file_latency_ask(test);
    ferry_send(prober, test->line, len);
}

static void ask_beside(void *arg)
{
    struct file_latency *test = arg;
    file_latency_begin(test);
    if (prober)
        ask(test);
}

/* The downloads, on the other loops. */

static void ask_for_file(ferry_conn *conn, void *arg)
{
    struct file_latency_download *download = arg;
    download->opened = true;
    ferry_send(conn, "file\n", strlen("file\n"));
}

static size_t take_file(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct file_latency_download *download = arg;
    (void)conn, (void)data;
    if (file_latency_receive(download, len))
        ferry_post(ferry_pool_loop(download->test->client.pool, 0), ask_beside, download->test);
    return len;
}

static void end_file(ferry_conn *conn, void *arg)
{
    struct file_latency_download *download = arg;
    download->ended = true;
    ferry_close(conn);
}

static void close_file(ferry_conn *conn, int reason, void *arg);

static void start_download(struct file_latency_download *download)
{
    ferry_service service = {
        .arg = download,
        .on_open = ask_for_file,
        .on_data = take_file,
        .on_eof = end_file,
        .on_close = close_file,
        .idle_timeout_ms = (unsigned)download->test->client.patience_s * 1000,
    };
    client_connect(&download->test->client, download->loop, &service);
}

static void close_file(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    if (file_latency_again(arg, reason))
        start_download(arg);
}

/* The messages, on loop 0. */

static void begin(ferry_conn *conn, void *arg)
{
    struct file_latency *test = arg;
    test->opened = true;
    prober = conn;
    ask(test);
}

static void end_phase(struct file_latency *test)
{
    if (test->phase == &test->beside)
        file_latency_finish(test);
    else
        for (unsigned long i = 0; i < test->downloads; i++)
            start_download(&test->each[i]);
}

static size_t take_line(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct file_latency *test = arg;
    const char *end = memchr(data, '\n', len);
    (void)conn;
    if (!end && len < FILE_LATENCY_LINE_MAX)
        return 0;
    size_t size = end ? (size_t)(end + 1 - (const char *)data) : len;
    if (file_latency_take(test, data, size))
        ask(test);
    else if (file_latency_is_complete(test))
        end_phase(test);
    return size;
}

static void end_messages(ferry_conn *conn, void *arg)
{
    file_latency_end(arg);
    ferry_close(conn);
}

static void leave(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    prober = NULL;
    file_latency_close(arg, reason);
}

int main(int argc, char **argv)
{
    struct file_latency test;
    file_latency_init(&test, argc, argv);
    ferry_service service = {
        .arg = &test,
        .on_open = begin,
        .on_data = take_line,
        .on_eof = end_messages,
        .on_close = leave,
        .idle_timeout_ms = (unsigned)test.client.patience_s * 1000,
    };
    client_connect(&test.client, 0, &service);
    return file_latency_run(&test);
}
