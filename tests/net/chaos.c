/* SPDX-License-Identifier: MIT
 *
 * Everything at once, for a while: threads and callbacks that send, pause, shut down, close and abort; peers that read
 * fast or slowly, close half or all, or reset; two loops, limits that drop. At the end of each connection what its peer
 * saw is held against what its statistics say:
 *
 *   - a stream that ends in order holds each accepted frame whole, each sender's in order, and not a byte else;
 *   - a stream that is cut holds no more than was written, and whole frames up to the cut;
 *   - what was owned is released once, and contexts too.
 */
#include "case.h"
#include "frames.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SENDERS = 4, PEERS = 6, LIVES = 40, SLOTS = 64, LIMIT = 400000 };

/* A connection as the service sees it: its context. */
struct life {
    ferry_conn *conn;
    struct story *story;
    uint32_t sequences[SENDERS]; /* each the next of its sender */
    pthread_mutex_t lock;        /* held while a sender uses its sequence: one may meet it as thread and as callback */
    unsigned sends_left;         /* before somebody ends it; not exact */
};

/* What both sides saw of one connection, found by the port of the peer. */
struct story {
    struct count used, opened, closed; /* ports are used again */
    int reason;
    ferry_stats stats;
};

struct chaos {
    struct host host;
    struct story stories[65536];
    pthread_mutex_t lock;
    struct life *slots[SLOTS];
    struct count over, given, freed, contexts, lives;
};

static struct chaos chaos;

static void release(void *data)
{
    free(data);
    count_add(&chaos.freed, 1);
}

static void end_life(void *context)
{
    struct life *life = context;
    (void)pthread_mutex_destroy(&life->lock);
    free(life);
    count_add(&chaos.contexts, 1);
}

/* One frame of this sender, some way or other. The caller holds the life's lock. */
static void send_frame(struct life *life, uint32_t sender, uint64_t *series)
{
    static const size_t limits[] = {1, 100, 100, 100, 5000, 50000, 200000};
    size_t len;
    size_t body = random_below(series, limits[random_below(series, 7)]);
    char *frame = frame_new(sender, life->sequences[sender]++, body, &len);
    struct iovec halves[2] = {{.iov_base = frame, .iov_len = len / 2},
                              {.iov_base = frame + len / 2, .iov_len = len - len / 2}};
    switch (random_below(series, 3)) {
    case 0:
        count_add(&chaos.given, 1);
        ferry_send_owned(life->conn, frame, len, release);
        return;
    case 1:
        ferry_sendv(life->conn, halves, 2);
        break;
    default:
        ferry_send(life->conn, frame, len);
    }
    free(frame);
}

static void end_somehow(ferry_conn *conn, uint64_t *series)
{
    switch (random_below(series, 8)) {
    case 0:
        ferry_abort(conn);
        break;
    case 1:
    case 2:
        ferry_close(conn);
        break;
    default:
        ferry_shutdown(conn);
    }
}

static void act(struct life *life, uint32_t sender, uint64_t *series)
{
    (void)pthread_mutex_lock(&life->lock);
    bool last = life->sends_left == 0;
    life->sends_left -= !last;
    send_frame(life, sender, series);
    (void)pthread_mutex_unlock(&life->lock);
    if (last)
        end_somehow(life->conn, series);
    if (random_below(series, 20) == 0) {
        ferry_conn_pause(life->conn);
        ferry_conn_resume(life->conn);
    }
}

static unsigned port_of(ferry_conn *conn)
{
    char name[64];
    assert_true(ferry_conn_peer(conn, name, sizeof name) > 0);
    return (unsigned)strtoul(strrchr(name, ':') + 1, NULL, 10);
}

static void opened(ferry_conn *conn, void *arg)
{
    struct life *life = calloc(1, sizeof *life);
    (void)arg;
    assert_non_null(life);
    *life = (struct life){.conn = conn, .story = &chaos.stories[port_of(conn)], .sends_left = 60};
    assert_int_equal(pthread_mutex_init(&life->lock, NULL), 0);
    ferry_conn_set_context(conn, life, end_life);
    count_add(&chaos.lives, 1);
    count_add(&life->story->opened, 1);
    (void)pthread_mutex_lock(&chaos.lock);
    for (size_t i = 0; i < SLOTS; i++)
        if (chaos.slots[i] == NULL) {
            chaos.slots[i] = life;
            break;
        }
    (void)pthread_mutex_unlock(&chaos.lock);
}

/* The callbacks are a sender of their own, the last one. */
static size_t has_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    uint64_t series = len + *(const unsigned char *)data;
    (void)arg;
    act(ferry_conn_context(conn), SENDERS - 1, &series);
    return random_below(&series, len + 1);
}

static void has_eof(ferry_conn *conn, void *arg)
{
    uint64_t series = (uint64_t)(uintptr_t)conn;
    (void)arg;
    act(ferry_conn_context(conn), SENDERS - 1, &series);
    ferry_close(conn);
}

static void closed(ferry_conn *conn, int reason, void *arg)
{
    struct life *life = ferry_conn_context(conn);
    (void)arg;
    (void)pthread_mutex_lock(&chaos.lock);
    for (size_t i = 0; i < SLOTS; i++)
        if (chaos.slots[i] == life)
            chaos.slots[i] = NULL;
    (void)pthread_mutex_unlock(&chaos.lock);
    life->story->reason = reason;
    ferry_conn_stats(conn, &life->story->stats);
    count_add(&life->story->closed, 1);
}

/* A life, with a reference to its connection, or NULL. */
static struct life *pick(uint64_t *series)
{
    (void)pthread_mutex_lock(&chaos.lock);
    struct life *life = chaos.slots[random_below(series, SLOTS)];
    if (life != NULL)
        (void)ferry_conn_ref(life->conn);
    (void)pthread_mutex_unlock(&chaos.lock);
    return life;
}

struct worker {
    uint32_t index;
    uint64_t series;
    pthread_t thread;
};

static void *send_here_and_there(void *arg)
{
    struct worker *worker = arg;
    while (count_get(&chaos.over) == 0) {
        struct life *life = pick(&worker->series);
        if (life == NULL) {
            (void)usleep(50);
            continue;
        }
        ferry_conn *conn = life->conn;
        for (size_t i = random_below(&worker->series, 4); i > 0; i--)
            act(life, worker->index, &worker->series);
        ferry_conn_unref(conn);
    }
    return NULL;
}

/* Reads whole frames for as long as there are any. Returns 0 at the end of file, or the errno that cut the stream. */
static int read_all(struct frame_reader *reader, int fd)
{
    int end;
    while ((end = frame_try(reader, fd)) > 0)
        continue;
    return -end;
}

/* One connection from the peer's side; returns how its stream ended, -1 when the peer itself has reset it. */
static int live(int fd, struct frame_reader *reader, uint64_t *series)
{
    static const char noise[3000];
    size_t patience = random_below(series, 30);
    for (size_t i = 0; i < patience; i++) {
        ssize_t put = send(fd, noise, random_below(series, sizeof noise), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN)
            return errno; /* the reset is told once: recv(2) would say end of file now */
        if (random_below(series, 3) == 0)
            (void)usleep((useconds_t)random_below(series, 2000));
        int end = frame_try(reader, fd);
        if (end <= 0)
            return -end;
    }
    switch (random_below(series, 5)) {
    case 0:
        return -1;
    case 1:
        (void)shutdown(fd, SHUT_WR);
        break;
    default:
        break;
    }
    return read_all(reader, fd);
}

static void compare(const struct story *story, const struct frame_reader *reader, int end)
{
    const ferry_stats *stats = &story->stats;
    assert_int_equal(stats->queued, stats->written + stats->unsent);
    assert_true(reader->bytes <= stats->written);
    if (end == 0) { /* the peer has seen the end of file: that is all there was */
        assert_int_equal(reader->bytes, stats->queued);
        assert_int_equal(stats->unsent, 0);
    }
    if (story->reason == 0) {
        assert_int_equal(stats->unsent, 0);
        assert_int_equal(stats->verdict, FERRY_VERDICT_ACKED);
        assert_int_equal(stats->acknowledged, stats->queued);
    } else {
        assert_true(story->reason == -ECONNRESET || story->reason == -ECONNABORTED);
    }
}

static void *be_a_peer(void *arg)
{
    struct worker *worker = arg;
    for (size_t i = 0; i < scale(LIVES); i++) {
        struct frame_reader reader = {.gaps = true};
        int size = random_below(&worker->series, 2) == 0 ? PEER_TINY_WINDOW : 0;
        int fd = peer_connect_with(chaos.host.address, &(struct peer_options){.receive_buffer = size});
        struct story *story = &chaos.stories[peer_port(fd)];
        count_add(&story->used, 1);
        uint64_t nth = count_get(&story->used);
        count_wait(&story->opened, nth);
        int end = live(fd, &reader, &worker->series);
        peer_reset(fd);
        count_wait(&story->closed, nth);
        compare(story, &reader, end);
    }
    return NULL;
}

static void start(struct worker *workers, size_t count, void *(*run)(void *))
{
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){.index = (uint32_t)i, .series = i * 12345 + (run == be_a_peer)};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run, &workers[i]), 0);
    }
}

static void join(struct worker *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
}

static void run_chaos(ferry_overflow overflow, size_t max_pending)
{
    struct worker senders[SENDERS - 1];
    struct worker peers[PEERS];
    const ferry_service service = {.on_open = opened,
                                   .on_data = has_data,
                                   .on_eof = has_eof,
                                   .on_close = closed,
                                   .max_pending = max_pending,
                                   .overflow = overflow,
                                   .high_water = 50000,
                                   .socket.send_buffer = 16 * 1024};
    memset(&chaos, 0, sizeof chaos);
    assert_int_equal(pthread_mutex_init(&chaos.lock, NULL), 0);
    host_init(&chaos.host, &service);
    chaos.host.watch.keep = false;
    host_run(&chaos.host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    start(senders, SENDERS - 1, send_here_and_there);
    start(peers, PEERS, be_a_peer);
    join(peers, PEERS);
    count_add(&chaos.over, 1);
    join(senders, SENDERS - 1);
    host_stop(&chaos.host);
    assert_int_equal(count_get(&chaos.freed), count_get(&chaos.given));
    assert_int_equal(count_get(&chaos.contexts), count_get(&chaos.lives));
    assert_int_equal(count_get(&chaos.lives), PEERS * scale(LIVES));
    assert_int_equal(pthread_mutex_destroy(&chaos.lock), 0);
}

static void with_a_limit_that_drops(void)
{
    run_chaos(FERRY_OVERFLOW_DROP, LIMIT);
}

static void without_a_limit(void)
{
    run_chaos(FERRY_OVERFLOW_CLOSE, 0);
}

const struct test_case test_cases[] = {
    {"with_a_limit_that_drops", with_a_limit_that_drops},
    {"without_a_limit", without_a_limit},
    {NULL, NULL},
};
