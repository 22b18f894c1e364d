/* SPDX-License-Identifier: MIT
 *
 * Sends of four threads while the loop has one of its own in the kernel: each message whole, and each sender's in
 * order; and when the connection is ended on the way, what arrives is where they stood at some moment. Over each
 * backend, in each style.
 */
#include "case.h"
#include "frames.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

static void on_each_backend(void (*scene)(bool straight))
{
    static const char *const names[] = {"epoll", "uring"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
        case_row("%s, %s", names[i / 2], i % 2 == 0 ? "callbacks" : "coroutines");
        assert_int_equal(setenv("FERRY_BACKEND", names[i / 2], 1), 0);
        scene(i % 2 == 1);
    }
}

/* The loop's own messages are answers: one to each byte that comes. */
enum { THREADS = 4, LOOP = THREADS, FRAMES = 400 };

struct exchange {
    struct host host;
    ferry_conn *conn;
    uint32_t frames; /* each sender's */
    uint32_t answers;
    uint64_t series; /* the loop's */
    bool paced;
    struct count read; /* frames that the reader has, of all senders */
};

struct sender {
    struct exchange *exchange;
    uint32_t index;
    pthread_t thread;
};

/* Small ones go by way of the ring, others at once, some in parts. */
static size_t body_length(uint64_t *series)
{
    static const size_t limits[] = {20, 20, 1000, 4096, 16000, 16000, 70000, FRAME_BODY_MAX};
    return random_below(series, limits[random_below(series, sizeof limits / sizeof limits[0])] + 1);
}

static void send_frame(ferry_conn *conn, uint32_t sender, uint32_t sequence, uint64_t *series)
{
    size_t len;
    char *frame = frame_new(sender, sequence, body_length(series), &len);
    ferry_send(conn, frame, len);
    free(frame);
}

static void answer_bytes(struct exchange *exchange, ferry_conn *conn, size_t count)
{
    for (size_t i = 0; i < count && exchange->answers < exchange->frames; i++)
        send_frame(conn, LOOP, exchange->answers++, &exchange->series);
}

static size_t answer(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    answer_bytes(arg, conn, len);
    return len;
}

static void ignore(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

static void serve(ferry_conn *conn, void *arg)
{
    struct exchange *exchange = arg;
    char bytes[64];
    ssize_t n;
    while ((n = ferry_recv(conn, bytes, sizeof bytes)) > 0)
        answer_bytes(exchange, conn, (size_t)n);
}

/* All keep step, if they do, so that now and then there is nothing but what the loop sends, and somebody comes then. */
static void keep_step(struct exchange *exchange, uint32_t sequence)
{
    if (exchange->paced && sequence > 1)
        count_wait(&exchange->read, (sequence - 1) * (THREADS + 1));
}

static void *send_all(void *arg)
{
    struct sender *sender = arg;
    struct exchange *exchange = sender->exchange;
    uint64_t series = sender->index * 77777U + 1;
    for (uint32_t i = 0; i < exchange->frames; i++) {
        keep_step(exchange, i);
        send_frame(exchange->conn, sender->index, i, &series);
    }
    return NULL;
}

static void start(struct exchange *exchange, bool straight, struct sender senders[THREADS])
{
    static const ferry_service styles[] = {{.on_data = answer, .on_eof = ignore}, {.serve = serve}};
    ferry_service service = styles[straight];
    service.arg = exchange;
    service.socket.send_buffer = 64 * 1024;
    host_start(&exchange->host, &service);
    for (uint32_t i = 0; i < THREADS; i++)
        senders[i] = (struct sender){.exchange = exchange, .index = i};
}

static void join(struct sender senders[THREADS])
{
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(senders[i].thread, NULL), 0);
}

struct asking {
    struct exchange *exchange;
    int fd;
    pthread_t thread;
};

static void *ask(void *arg)
{
    const struct asking *asking = arg;
    for (uint32_t i = 0; i < asking->exchange->frames; i++) {
        keep_step(asking->exchange, i);
        peer_write(asking->fd, "?", 1);
    }
    return NULL;
}

static int begin(struct exchange *exchange, struct sender senders[THREADS], size_t index)
{
    int fd = peer_connect(exchange->host.address);
    exchange->conn = watch_conn(&exchange->host.watch, index);
    exchange->answers = 0;
    host_settle(&exchange->host); /* for the loop to see it */
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    return fd;
}

static void to_the_end(bool straight)
{
    static struct exchange exchange;
    struct sender senders[THREADS];
    struct asking asking;
    struct frame_reader reader = {0};
    exchange = (struct exchange){.frames = (uint32_t)scale(FRAMES), .paced = true};
    start(&exchange, straight, senders);
    asking = (struct asking){.exchange = &exchange, .fd = begin(&exchange, senders, 0)};
    assert_int_equal(pthread_create(&asking.thread, NULL, ask, &asking), 0);
    while (reader.frames < (THREADS + 1) * exchange.frames) {
        assert_true(frame_read(&reader, asking.fd));
        count_add(&exchange.read, 1);
    }
    for (uint32_t i = 0; i <= THREADS; i++)
        assert_int_equal(reader.next[i], exchange.frames);
    join(senders);
    assert_int_equal(pthread_join(asking.thread, NULL), 0);
    ferry_close(exchange.conn);
    peer_expect_eof(asking.fd);
    peer_close(asking.fd);
    host_stop(&exchange.host);
}

static void messages_stay_whole(void)
{
    on_each_backend(to_the_end);
}

/* By one more thread, at a moment that the reader chooses. */
static void end_it(ferry_conn *conn, size_t how)
{
    if (how == 0)
        ferry_abort(conn);
    else if (how == 1)
        ferry_close(conn);
    else
        ferry_shutdown(conn);
}

static void cut_short(bool straight)
{
    static struct exchange exchange;
    struct sender senders[THREADS];
    uint64_t series = 5; /* the reader's */
    exchange = (struct exchange){.frames = 30};
    start(&exchange, straight, senders);
    for (size_t round = 0; round < scale(30); round++) {
        struct frame_reader reader = {0};
        size_t how = round % 3;
        int result = 1;
        int fd = begin(&exchange, senders, round);
        for (size_t i = random_below(&series, 60); i > 0; i--) {
            peer_write(fd, "?", 1);
            assert_true(frame_read(&reader, fd));
        }
        end_it(exchange.conn, how);
        while (result > 0)
            result = frame_try(&reader, fd);
        if (how == 2)
            assert_int_equal(result, 0);
        else
            assert_true(result == 0 || result == -ECONNRESET);
        join(senders);
        peer_close(fd);
        count_wait(&exchange.host.watch.closed, round + 1);
    }
    host_stop(&exchange.host);
}

static void ended_on_the_way(void)
{
    on_each_backend(cut_short);
}

const struct test_case test_cases[] = {
    {"messages_stay_whole", messages_stay_whole},
    {"ended_on_the_way", ended_on_the_way},
    {NULL, NULL},
};
