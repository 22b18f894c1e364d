/* SPDX-License-Identifier: MIT
 *
 * peers: libuv: libuv echo|pipelined|broadcast|feed|accept, or libuv timers COUNT. As its users write them: one read buffer
 * for all, since the loop reads into it and calls back at once; a write is tried first, and only what is left gets a request
 * with a copy; other threads queue under a lock and wake the loop.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <err.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { BACKLOG = 4096, MESSAGE = 64, BATCH = 1 << 20, ROOM_MAX = 20000 };

typedef struct write_request {
    uv_write_t req;
    char data[];
} write_request;

static uv_loop_t loop;
static uv_tcp_t *room[ROOM_MAX];
static size_t people;
static char input[64 << 10];
static void (*on_data)(uv_tcp_t *conn, const char *data, size_t len);

static void written(uv_write_t *req, int status)
{
    (void)status;
    free(req);
}

/* What the socket does not take at once is copied, and follows. */
static void send_bytes(uv_tcp_t *conn, const char *data, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)data, (unsigned)len);
    int sent = uv_try_write((uv_stream_t *)conn, &buf, 1);
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == len || (sent < 0 && sent != UV_EAGAIN))
        return;
    write_request *request = malloc(sizeof *request + len - done);
    buf = uv_buf_init(request->data, (unsigned)(len - done));
    memcpy(request->data, data + done, len - done);
    if (uv_write(&request->req, (uv_stream_t *)conn, &buf, 1, written) != 0)
        written(&request->req, 0);
}

static void answer_each(uv_tcp_t *conn, const char *data, size_t len)
{
    for (size_t at = 0; at + MESSAGE <= len; at += MESSAGE)
        send_bytes(conn, data + at, MESSAGE);
}

static void say(uv_tcp_t *conn, const char *data, size_t len)
{
    (void)conn;
    for (size_t i = 0; i < people; i++)
        send_bytes(room[i], data, len);
}

/* The feed: threads fill `batch`, the loop swaps it for `other` and writes that, one write at a time. */
static uv_async_t wake;
static uv_tcp_t *fed;
static uv_write_t feeding;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t emptied = PTHREAD_COND_INITIALIZER;
static char batch_memory[2][BATCH];
static char *batch = batch_memory[0], *other = batch_memory[1];
static size_t used;
static bool busy;
static atomic_bool over;
static pthread_t threads[UCHAR_MAX];
static int thread_count;

static void *produce(void *arg)
{
    (void)arg;
    char message[MESSAGE] = "";
    while (!over) {
        pthread_mutex_lock(&lock);
        while (used + MESSAGE > BATCH && !over)
            pthread_cond_wait(&emptied, &lock);
        bool first = used == 0;
        if (!over) {
            memcpy(batch + used, message, MESSAGE);
            used += MESSAGE;
        }
        pthread_mutex_unlock(&lock);
        if (first)
            uv_async_send(&wake);
    }
    return NULL;
}

static void feed_written(uv_write_t *req, int status);

static void feed_on(uv_async_t *handle)
{
    (void)handle;
    if (busy || !fed)
        return;
    pthread_mutex_lock(&lock);
    uv_buf_t buf = uv_buf_init(batch, (unsigned)used);
    char *full = batch;
    batch = other;
    other = full;
    used = 0;
    pthread_cond_broadcast(&emptied);
    pthread_mutex_unlock(&lock);
    busy = buf.len > 0 && uv_write(&feeding, (uv_stream_t *)fed, &buf, 1, feed_written) == 0;
}

static void feed_written(uv_write_t *req, int status)
{
    (void)req;
    busy = false;
    if (status == 0)
        feed_on(NULL);
}

static void start_feed(uv_tcp_t *conn, const char *data, size_t len)
{
    (void)len;
    fed = conn;
    over = false;
    thread_count = (unsigned char)*data;
    for (int i = 0; i < thread_count; i++)
        pthread_create(&threads[i], NULL, produce, NULL);
}

static void stop_feed(void)
{
    pthread_mutex_lock(&lock);
    over = true;
    pthread_cond_broadcast(&emptied);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    fed = NULL;
    thread_count = 0;
    used = 0;
}

static void closed(uv_handle_t *conn)
{
    for (size_t i = 0; i < people; i++) {
        if ((uv_handle_t *)room[i] == conn) {
            room[i] = room[--people];
            break;
        }
    }
    free(conn);
}

static void allocate(uv_handle_t *conn, size_t suggested, uv_buf_t *buf)
{
    (void)conn, (void)suggested;
    *buf = uv_buf_init(input, sizeof input);
}

static void read_done(uv_stream_t *conn, ssize_t got, const uv_buf_t *buf)
{
    if (got > 0) {
        on_data((uv_tcp_t *)conn, buf->base, (size_t)got);
        return;
    }
    if (got == 0)
        return;
    if ((uv_tcp_t *)conn == fed)
        stop_feed();
    uv_close((uv_handle_t *)conn, closed);
}

static void accepted(uv_stream_t *listener, int status)
{
    uv_tcp_t *conn = malloc(sizeof *conn);
    uv_tcp_init(&loop, conn);
    if (status < 0 || uv_accept(listener, (uv_stream_t *)conn) != 0 || people == ROOM_MAX)
        errx(1, "libuv: accept");
    if (!on_data) {
        uv_close((uv_handle_t *)conn, closed);
        return;
    }
    room[people++] = conn;
    uv_tcp_nodelay(conn, 1);
    uv_read_start((uv_stream_t *)conn, allocate, read_done);
}

static int serve(void)
{
    uv_tcp_t listener;
    struct sockaddr_in at;
    int len = sizeof at;
    uv_ip4_addr("127.0.0.1", 0, &at);
    uv_tcp_init(&loop, &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&at, 0) != 0 ||
        uv_listen((uv_stream_t *)&listener, BACKLOG, accepted) != 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&at, &len) != 0)
        errx(1, "libuv: listen");
    uv_async_init(&loop, &wake, feed_on);
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return uv_run(&loop, UV_RUN_DEFAULT);
}

static uv_timer_t *timers;

static void fire(uv_timer_t *timer)
{
    (void)timer;
}

static void arm(long i, long ms)
{
    uv_timer_init(&loop, &timers[i]);
    uv_timer_start(&timers[i], fire, (uint64_t)ms, 0);
}

static void cancel(long i)
{
    uv_timer_stop(&timers[i]);
}

static int measure_timers(long count)
{
    timers = calloc((size_t)count, sizeof *timers);
    if (!timers)
        err(1, "libuv: timers");
    bench_timers(count, arm, cancel);
    free(timers);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*on_data)(uv_tcp_t *conn, const char *data, size_t len);
    } modes[] = {
        {"echo", send_bytes}, {"pipelined", answer_each}, {"broadcast", say}, {"feed", start_feed}, {"accept", NULL},
    };
    signal(SIGPIPE, SIG_IGN);
    uv_loop_init(&loop);
    if (argc == 3 && strcmp(argv[1], "timers") == 0)
        return measure_timers(bench_number("COUNT", argv[2]));
    for (size_t i = 0; argc == 2 && i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            on_data = modes[i].on_data;
            return serve();
        }
    }
    errx(2, "usage: libuv echo|pipelined|broadcast|feed|accept|timers COUNT");
}
