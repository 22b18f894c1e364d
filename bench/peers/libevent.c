/* SPDX-License-Identifier: MIT
 *
 * peers: libevent: libevent echo|pipelined|broadcast|feed|accept, or libevent timers COUNT. By bufferevents, as its book
 * and its users write them; threads feed a bufferevent that was made thread-safe.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <err.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/thread.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096, MESSAGE = 64, PENDING_MAX = 1 << 20, ROOM_MAX = 20000 };

static struct event_base *base;
static struct bufferevent *room[ROOM_MAX];
static size_t people;
static bufferevent_data_cb on_data;
static int options = BEV_OPT_CLOSE_ON_FREE;

static void echo(struct bufferevent *conn, void *arg)
{
    (void)arg;
    bufferevent_write_buffer(conn, bufferevent_get_input(conn));
}

static void answer_each(struct bufferevent *conn, void *arg)
{
    (void)arg;
    char message[MESSAGE];
    while (evbuffer_get_length(bufferevent_get_input(conn)) >= MESSAGE) {
        bufferevent_read(conn, message, MESSAGE);
        bufferevent_write(conn, message, MESSAGE);
    }
}

static void say(struct bufferevent *conn, void *arg)
{
    (void)arg;
    struct evbuffer *input = bufferevent_get_input(conn);
    size_t len = evbuffer_get_length(input);
    void *data = evbuffer_pullup(input, -1);
    for (size_t i = 0; i < people; i++)
        bufferevent_write(room[i], data, len);
    evbuffer_drain(input, len);
}

static struct bufferevent *fed;
static atomic_bool over;
static pthread_t threads[UCHAR_MAX];
static int thread_count;

static void *produce(void *arg)
{
    (void)arg;
    char message[MESSAGE] = "";
    struct evbuffer *output = bufferevent_get_output(fed);
    while (!over) {
        if (evbuffer_get_length(output) < PENDING_MAX)
            bufferevent_write(fed, message, MESSAGE);
        else
            usleep(50);
    }
    return NULL;
}

static void start_feed(struct bufferevent *conn, void *arg)
{
    (void)arg;
    unsigned char count = 0;
    bufferevent_read(conn, &count, 1);
    fed = conn;
    over = false;
    thread_count = count;
    for (int i = 0; i < thread_count; i++)
        pthread_create(&threads[i], NULL, produce, NULL);
}

static void stop_feed(struct bufferevent *conn)
{
    over = true;
    bufferevent_unlock(conn); /* producers may be waiting for it */
    for (int i = 0; i < thread_count; i++)
        pthread_join(threads[i], NULL);
    bufferevent_lock(conn);
    fed = NULL;
    thread_count = 0;
}

static void end(struct bufferevent *conn, short what, void *arg)
{
    (void)what, (void)arg;
    if (conn == fed)
        stop_feed(conn);
    for (size_t i = 0; i < people; i++) {
        if (room[i] == conn) {
            room[i] = room[--people];
            break;
        }
    }
    bufferevent_free(conn);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
    static const int one = 1;
    (void)listener, (void)from, (void)len, (void)arg;
    if (!on_data) {
        close(fd);
        return;
    }
    struct bufferevent *conn = bufferevent_socket_new(base, fd, options);
    if (!conn || people == ROOM_MAX)
        errx(1, "libevent: a connection");
    room[people++] = conn;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    bufferevent_setcb(conn, on_data, NULL, end, NULL);
    bufferevent_enable(conn, EV_READ | EV_WRITE);
}

static int serve(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct evconnlistener *listener = evconnlistener_new_bind(base, accepted, NULL, LEV_OPT_CLOSE_ON_FREE, BACKLOG,
                                                              (struct sockaddr *)&at, sizeof at);
    if (!listener || getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&at, &len) != 0)
        errx(1, "libevent: listen");
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return event_base_dispatch(base);
}

static struct event **timers;

static void fire(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

static void arm(long i, long ms)
{
    struct timeval delay = {ms / 1000, ms % 1000 * 1000};
    timers[i] = evtimer_new(base, fire, NULL);
    evtimer_add(timers[i], &delay);
}

static void cancel(long i)
{
    event_free(timers[i]);
}

static int measure_timers(long count)
{
    timers = calloc((size_t)count, sizeof(struct event *));
    if (!timers)
        err(1, "libevent: timers");
    bench_timers(count, arm, cancel);
    free(timers);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        bufferevent_data_cb on_data;
    } modes[] = {
        {"echo", echo}, {"pipelined", answer_each}, {"broadcast", say}, {"feed", start_feed}, {"accept", NULL},
    };
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "feed") == 0) { /* only who needs locks pays for them */
        evthread_use_pthreads();
        options |= BEV_OPT_THREADSAFE;
    }
    base = event_base_new();
    if (argc == 3 && strcmp(argv[1], "timers") == 0)
        return measure_timers(bench_number("COUNT", argv[2]));
    for (size_t i = 0; argc == 2 && i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            on_data = modes[i].on_data;
            return serve();
        }
    }
    errx(2, "usage: libevent echo|pipelined|broadcast|feed|accept|timers COUNT");
}
