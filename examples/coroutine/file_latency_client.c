/* SPDX-License-Identifier: MIT
 *
 * File latency, the client: how long small messages take, first alone, then while the same server sends its file N times
 * over. The idea: the parts of a program run on different loops, and wait for each other: the messages go on when the last
 * download has begun, for which a wait group parks them.
 *
 *   $ ./file_latency FILE &
 *   $ ./file_latency_client 127.0.0.1:2016 --downloads 8
 */
#include "file_latency.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ferry_wait_group *begun; /* done when the last download has begun */

/* The downloads, on the other loops. */

static void take_file(ferry_conn *conn, void *arg)
{
    struct file_latency_download *download = arg;
    const void *data;
    ssize_t len;
    download->opened = true;
    ferry_send(conn, "file\n", strlen("file\n"));
    while ((len = ferry_peek(conn, &data)) > 0) {
        if (file_latency_receive(download, (size_t)len))
            ferry_wait_group_done(begun);
        ferry_consume(conn, (size_t)len);
    }
    download->ended = len == 0;
}

static void close_file(ferry_conn *conn, int reason, void *arg);

static void start_download(struct file_latency_download *download)
{
    ferry_service service = {
        .name = "download",
        .arg = download,
        .serve = take_file,
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

/* One phase; false when it has failed. */
static bool exchange(ferry_conn *conn, struct file_latency *test)
{
    char line[FILE_LATENCY_LINE_MAX];
    ssize_t len;
    do {
        size_t size = file_latency_ask(test);
        ferry_send(conn, test->line, size);
        len = ferry_recv_until(conn, line, sizeof line, "\n");
        if (len == -EMSGSIZE)
            len = ferry_recv(conn, line, sizeof line); /* not what was sent, either */
    } while (len > 0 && file_latency_take(test, line, (size_t)len));
    if (len == 0)
        file_latency_end(test);
    return file_latency_is_complete(test);
}

static void measure(ferry_conn *conn, void *arg)
{
    struct file_latency *test = arg;
    test->opened = true;
    if (!exchange(conn, test))
        return;
    for (unsigned long i = 0; i < test->downloads; i++)
        start_download(&test->each[i]);
    if (ferry_wait_group_wait(begun) < 0)
        return;
    file_latency_begin(test);
    if (exchange(conn, test))
        file_latency_finish(test);
}

static void leave(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    file_latency_close(arg, reason);
}

int main(int argc, char **argv)
{
    struct file_latency test;
    file_latency_init(&test, argc, argv);
    begun = ferry_wait_group_new();
    if (!begun)
        err(EXIT_FAILURE, "cannot start");
    ferry_wait_group_add(begun, 1);
    ferry_service service = {
        .name = "messages",
        .arg = &test,
        .serve = measure,
        .on_close = leave,
        .idle_timeout_ms = (unsigned)test.client.patience_s * 1000,
    };
    client_connect(&test.client, 0, &service);
    int status = file_latency_run(&test);
    ferry_wait_group_free(begun);
    return status;
}
