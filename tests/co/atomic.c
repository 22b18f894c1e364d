/* SPDX-License-Identifier: MIT
 *
 * One call is one contiguous run of the stream, in the coroutine style too: 8 threads and 32 coroutines, most of them of the
 * connection's loop and so held back by the high-water mark, send frames on one connection, whose reader is slow at first.
 * Each frame arrives whole, and each sender's in order.
 */
#include "case.h"
#include "host.h"
#include "parked.h"
#include "peer.h"

#include "../net/frames.h"

#include <stdlib.h>

enum { THREADS = 8, HERE = 24, ELSEWHERE = 8, SENDERS = THREADS + HERE + ELSEWHERE, FRAMES = 200000 };

struct sender {
    struct crowd *crowd;
    uint32_t index;
    uint64_t series;
    pthread_t thread;
    ferry_co *co;
};

struct crowd {
    struct host host;
    ferry_conn *conn;
    uint32_t frames; /* each sender's share */
    struct sender senders[SENDERS];
    ferry_wait_group *done, *leave;
};

/* Nearly all are small; now and then one that no socket buffer takes at once. */
static size_t body_length(uint64_t *series)
{
    size_t dice = random_below(series, 1000);
    size_t limit = dice == 0 ? FRAME_BODY_MAX : dice < 10 ? 20000 : dice < 100 ? 4096 : 100;
    return random_below(series, limit + 1);
}

static void send_all(void *arg)
{
    struct sender *sender = arg;
    for (uint32_t i = 0; i < sender->crowd->frames; i++) {
        size_t len;
        char *frame = frame_new(sender->index, i, body_length(&sender->series), &len);
        if (i % 3 == 0) {
            size_t cut = random_below(&sender->series, len);
            ferry_sendv(sender->crowd->conn, (struct iovec[]){{frame, cut}, {frame + cut, len - cut}}, 2);
        } else {
            ferry_send(sender->crowd->conn, frame, len);
        }
        free(frame);
        if (i % 64 == 0 && ferry_self() != NULL)
            ferry_yield();
    }
    ferry_wait_group_done(sender->crowd->done);
}

static void *send_on_a_thread(void *sender)
{
    send_all(sender);
    return NULL;
}

static void start_senders(struct crowd *crowd)
{
    unsigned here = loop_index(&crowd->host, crowd->conn);
    ferry_wait_group_add(crowd->done, SENDERS);
    for (uint32_t i = 0; i < SENDERS; i++) {
        struct sender *sender = &crowd->senders[i];
        *sender = (struct sender){.crowd = crowd, .index = i, .series = i * 77777U + 1};
        if (i < THREADS)
            assert_int_equal(pthread_create(&sender->thread, NULL, send_on_a_thread, sender), 0);
        else
            sender->co = start(&crowd->host, i < THREADS + HERE ? here : 1 - here, "sender", send_all, sender);
    }
}

/* The connection's own coroutine ends it when all the others have sent what they have. */
static void serve(ferry_conn *conn, void *arg)
{
    struct crowd *crowd = arg;
    assert_int_equal(ferry_wait_group_wait(crowd->leave), 0);
    assert_int_equal(ferry_flush(conn), 0);
}

static void read_frames(struct crowd *crowd, int fd)
{
    struct frame_reader reader = {.piece = 500};
    wait_parked(&crowd->host, "sender", "ferry_send");
    for (size_t i = 0; i < 50; i++)
        assert_true(frame_read(&reader, fd));
    reader.piece = 0;
    while (reader.frames < (uint64_t)SENDERS * crowd->frames)
        assert_true(frame_read(&reader, fd));
}

static void run_crowd(const struct peer_options *options, size_t frames)
{
    static struct crowd crowd;
    crowd = (struct crowd){.frames = (uint32_t)(scale(frames) / SENDERS)};
    crowd.done = ferry_wait_group_new();
    crowd.leave = ferry_wait_group_new();
    ferry_wait_group_add(crowd.leave, 1);
    host_init(
        &crowd.host,
        &(ferry_service){.serve = serve, .arg = &crowd, .high_water = 64 * 1024, .socket.send_buffer = 64 * 1024});
    host_run(&crowd.host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    int fd = peer_connect_with(crowd.host.address, options);
    crowd.conn = watch_conn(&crowd.host.watch, 0);
    start_senders(&crowd);
    read_frames(&crowd, fd);
    assert_int_equal(ferry_wait_group_wait(crowd.done), 0);
    for (size_t i = 0; i < SENDERS; i++)
        assert_int_equal(i < THREADS ? pthread_join(crowd.senders[i].thread, NULL) : ferry_join(crowd.senders[i].co),
                         0);
    ferry_wait_group_done(crowd.leave);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&crowd.host.watch, 0, NULL), 0);
    host_stop(&crowd.host);
    ferry_wait_group_free(crowd.done);
    ferry_wait_group_free(crowd.leave);
}

static void frames_of_threads_and_coroutines_arrive_whole(void)
{
    run_crowd(NULL, FRAMES);
}

static void frames_arrive_whole_through_a_tiny_window(void)
{
    run_crowd(&(struct peer_options){.receive_buffer = PEER_TINY_WINDOW}, FRAMES / 10);
}

const struct test_case test_cases[] = {
    {"frames_of_threads_and_coroutines_arrive_whole", frames_of_threads_and_coroutines_arrive_whole},
    {"frames_arrive_whole_through_a_tiny_window", frames_arrive_whole_through_a_tiny_window},
    {NULL, NULL},
};
