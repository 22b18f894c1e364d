/* SPDX-License-Identifier: MIT
 *
 * One call is one contiguous run of the stream: many threads, and the loop itself, send frames on one connection in
 * every way there is, and the reader, slow at first, finds each frame whole and each sender's frames in order.
 */
#include "case.h"
#include "frames.h"
#include "host.h"
#include "peer.h"
#include "temp.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, SENDERS = THREADS + 1, FRAMES = 150, PIECES = 7 };

enum way { COPY, VECTOR, OWNED, BLOB, FILE_RANGE, WAYS };

struct sender {
    struct crowd *crowd;
    uint32_t index;
    uint32_t sent;
    uint64_t series;
    pthread_t thread;
};

struct crowd {
    struct host host;
    ferry_conn *conn;
    struct temp temp; /* holds the frames that go as file ranges */
    ferry_file *file;
    uint32_t frames; /* each sender's share */
    uint64_t ends;   /* where the file ends so far */
    pthread_mutex_t lock;
    struct sender senders[SENDERS];
    struct count done, made;
};

/* Mostly small, some of a few pages, some that no socket buffer takes at once. */
static size_t body_length(uint64_t *series)
{
    static const size_t limits[] = {1, 64, 64, 200, 200, 4096, 4096, 20000, 100000, FRAME_BODY_MAX};
    return random_below(series, limits[random_below(series, sizeof limits / sizeof limits[0])] + 1);
}

static struct count freed;

static void release(void *data)
{
    free(data);
    count_add(&freed, 1);
}

static void send_vector(ferry_conn *conn, const char *frame, size_t len, uint64_t *series)
{
    struct iovec pieces[PIECES];
    size_t at = 0;
    for (size_t i = 0; i < PIECES; i++) {
        size_t piece = i == PIECES - 1 ? len - at : random_below(series, (len - at) / 2 + 1);
        pieces[i] = (struct iovec){.iov_base = (void *)(frame + at), .iov_len = piece};
        at += piece;
    }
    ferry_sendv(conn, pieces, PIECES);
}

static void send_range(struct crowd *crowd, const char *frame, size_t len)
{
    (void)pthread_mutex_lock(&crowd->lock);
    uint64_t offset = crowd->ends;
    crowd->ends += len;
    (void)pthread_mutex_unlock(&crowd->lock);
    temp_write(&crowd->temp, offset, frame, len);
    ferry_send_file(crowd->conn, crowd->file, offset, len);
}

static void send_blob(struct crowd *crowd, char *frame, size_t len)
{
    ferry_blob *blob = ferry_blob_wrap(frame, len, release);
    assert_non_null(blob);
    count_add(&crowd->made, 1);
    ferry_send_blob(crowd->conn, blob);
    ferry_blob_unref(blob);
}

static void send_next(struct sender *sender)
{
    struct crowd *crowd = sender->crowd;
    size_t len;
    enum way way = (enum way)((sender->index + sender->sent) % WAYS);
    char *frame = frame_new(sender->index, sender->sent++, body_length(&sender->series), &len);
    if (way == COPY)
        ferry_send(crowd->conn, frame, len);
    else if (way == VECTOR)
        send_vector(crowd->conn, frame, len, &sender->series);
    else if (way == FILE_RANGE)
        send_range(crowd, frame, len);
    else if (way == BLOB)
        send_blob(crowd, frame, len);
    else {
        count_add(&crowd->made, 1);
        ferry_send_owned(crowd->conn, frame, len, release);
    }
    if (way != BLOB && way != OWNED)
        free(frame);
}

static void *send_on_a_thread(void *arg)
{
    struct sender *sender = arg;
    while (sender->sent < sender->crowd->frames)
        send_next(sender);
    count_add(&sender->crowd->done, 1);
    return NULL;
}

static void send_on_the_loop(void *arg)
{
    struct sender *sender = arg;
    for (size_t i = 0; i < 3 && sender->sent < sender->crowd->frames; i++)
        send_next(sender);
    if (sender->sent < sender->crowd->frames)
        ferry_post(ferry_loop_current(), send_on_the_loop, sender);
    else
        count_add(&sender->crowd->done, 1);
}

static void start_senders(struct crowd *crowd)
{
    crowd->conn = watch_conn(&crowd->host.watch, 0);
    for (uint32_t i = 0; i < SENDERS; i++)
        crowd->senders[i] = (struct sender){.crowd = crowd, .index = i, .series = i * 77777U};
    for (size_t i = 0; i < THREADS; i++) {
        struct sender *sender = &crowd->senders[i];
        assert_int_equal(pthread_create(&sender->thread, NULL, send_on_a_thread, sender), 0);
    }
    ferry_post(ferry_conn_loop(crowd->conn), send_on_the_loop, &crowd->senders[THREADS]);
}

static void *shut_down_when_all_is_sent(void *arg)
{
    struct crowd *crowd = arg;
    count_wait(&crowd->done, SENDERS);
    ferry_shutdown(crowd->conn);
    return NULL;
}

static bool backed_up(void *arg)
{
    struct crowd *crowd = arg;
    return ferry_conn_pending(crowd->conn) > 1024 * 1024 || count_get(&crowd->done) == SENDERS;
}

static void read_frames(struct crowd *crowd, int fd)
{
    struct frame_reader reader = {.piece = 500};
    wait_until(backed_up, crowd);
    for (size_t i = 0; i < 50; i++)
        assert_true(frame_read(&reader, fd));
    reader.piece = 0;
    frames_read_to_eof(&reader, fd);
    assert_int_equal(reader.frames, (uint64_t)SENDERS * crowd->frames);
}

static void run_crowd(const struct peer_options *options)
{
    static const ferry_service service = {.high_water = 64 * 1024};
    static struct crowd crowd;
    pthread_t last;
    crowd = (struct crowd){.frames = (uint32_t)scale(FRAMES), .lock = PTHREAD_MUTEX_INITIALIZER};
    uint64_t before = count_get(&freed);
    temp_init(&crowd.temp);
    crowd.file = ferry_file_open(crowd.temp.path);
    assert_non_null(crowd.file);
    host_start(&crowd.host, &service);
    int fd = peer_connect_with(crowd.host.address, options);
    start_senders(&crowd);
    assert_int_equal(pthread_create(&last, NULL, shut_down_when_all_is_sent, &crowd), 0);
    read_frames(&crowd, fd);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(crowd.senders[i].thread, NULL), 0);
    assert_int_equal(pthread_join(last, NULL), 0);
    peer_close(fd);
    assert_reason(watch_reason(&crowd.host.watch, 0, NULL), 0);
    ferry_file_unref(crowd.file);
    host_stop(&crowd.host);
    assert_int_equal(count_get(&freed) - before, count_get(&crowd.made));
    temp_remove(&crowd.temp);
}

static void frames_of_many_threads_arrive_whole(void)
{
    run_crowd(NULL);
}

static void frames_arrive_whole_through_a_tiny_window(void)
{
    run_crowd(&(struct peer_options){.receive_buffer = PEER_TINY_WINDOW});
}

/* A large message is caught half-way, by a kernel that is full, while another thread goes on sending: what is left of it
 * is still its own, and nothing of the other comes in between. */
struct chatter {
    ferry_conn *conn;
    pthread_barrier_t *start;
    atomic_bool enough;
    pthread_t thread;
};

static void *chat(void *arg)
{
    struct chatter *chatter = arg;
    pthread_barrier_wait(chatter->start);
    while (!atomic_load(&chatter->enough))
        ferry_send(chatter->conn, ".", 1);
    return NULL;
}

static void expect_one_run(int fd, const char *large, size_t len)
{
    char *back = malloc(len);
    char byte;
    do
        peer_read(fd, &byte, 1);
    while (byte == '.');
    assert_non_null(back);
    back[0] = byte;
    peer_read(fd, back + 1, len - 1);
    assert_memory_equal(back, large, len);
    free(back);
}

static void a_large_message_is_caught_half_way(void)
{
    static const ferry_service service = {.socket.send_buffer = 16 * 1024};
    enum { LARGE = 1 << 20, ROUNDS = 40 };
    struct host host;
    pthread_barrier_t start;
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, 'L', LARGE);
    assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
    host_start(&host, &service);
    for (size_t round = 0; round < scale(ROUNDS); round++) {
        int fd = peer_connect_with(host.address, &(struct peer_options){.receive_buffer = PEER_TINY_WINDOW});
        struct chatter chatter = {.conn = watch_conn(&host.watch, round), .start = &start};
        assert_int_equal(pthread_create(&chatter.thread, NULL, chat, &chatter), 0);
        pthread_barrier_wait(&start);
        ferry_send(chatter.conn, large, LARGE);
        atomic_store(&chatter.enough, true);
        assert_int_equal(pthread_join(chatter.thread, NULL), 0);
        expect_one_run(fd, large, LARGE);
        peer_reset(fd);
        count_wait(&host.watch.closed, round + 1);
    }
    host_stop(&host);
    assert_int_equal(pthread_barrier_destroy(&start), 0);
    free(large);
}

const struct test_case test_cases[] = {
    {"a_large_message_is_caught_half_way", a_large_message_is_caught_half_way},
    {"frames_of_many_threads_arrive_whole", frames_of_many_threads_arrive_whole},
    {"frames_arrive_whole_through_a_tiny_window", frames_arrive_whole_through_a_tiny_window},
    {NULL, NULL},
};
