/* SPDX-License-Identifier: MIT
 *
 * If one call returned before another began, its bytes come first, whichever threads they ran on. Two parties take
 * turns: each sends only after the other's call has returned. The loop may be one of the two, also in the middle of a
 * callback, where its small sends are gathered; and a shutdown takes its turn like any send.
 */
#include "case.h"
#include "frames.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

enum { ROUNDS = 100000 };

struct relay {
    struct host host;
    ferry_conn *conn;
    uint32_t rounds;
    uint64_t series;
    struct count turn; /* the number of the frame to be sent next */
    pthread_t threads[2];
};

/* Small as a rule; now and then more than is gathered, so that both ways to the kernel alternate. */
static void send_numbered(ferry_conn *conn, uint32_t number, uint64_t *series)
{
    size_t total;
    size_t length = number % 64 == 63 ? random_below(series, 20000) : number % 40;
    char *frame = frame_new(0, number, length, &total);
    ferry_send(conn, frame, total);
    free(frame);
}

static void take_turns(struct relay *relay, uint32_t parity)
{
    for (uint32_t number = parity; number < relay->rounds; number += 2) {
        count_wait(&relay->turn, number);
        send_numbered(relay->conn, number, &relay->series);
        count_add(&relay->turn, 1);
    }
}

static void *take_even_turns(void *arg)
{
    take_turns(arg, 0);
    return NULL;
}

static void *take_odd_turns(void *arg)
{
    take_turns(arg, 1);
    return NULL;
}

static void send_on_the_loop(void *arg)
{
    struct relay *relay = arg;
    send_numbered(relay->conn, (uint32_t)count_get(&relay->turn), &relay->series);
    count_add(&relay->turn, 1);
}

/* Takes the even turns, and posts each odd one to the loop. */
static void *alternate_with_the_loop(void *arg)
{
    struct relay *relay = arg;
    for (uint32_t number = 0; number < relay->rounds; number += 2) {
        send_numbered(relay->conn, number, &relay->series);
        count_add(&relay->turn, 1);
        ferry_post(ferry_conn_loop(relay->conn), send_on_the_loop, relay);
        count_wait(&relay->turn, number + 2);
    }
    return NULL;
}

/* The kernel's share is kept small, so that a reader who stays away leaves the rest in ferry's queue. */
static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};
enum { SEND_BUFFER = 8 * 1024 };

static int begin(struct relay *relay, const struct peer_options *options)
{
    static const ferry_service service = {.socket.send_buffer = SEND_BUFFER};
    *relay = (struct relay){.rounds = (uint32_t)scale(ROUNDS / 2) * 2};
    host_start(&relay->host, &service);
    int fd = peer_connect_with(relay->host.address, options);
    relay->conn = watch_conn(&relay->host.watch, 0);
    return fd;
}

static void end(struct relay *relay, int fd)
{
    struct frame_reader reader = {.gaps = false};
    for (uint32_t i = 0; i < relay->rounds; i++)
        assert_true(frame_read(&reader, fd));
    count_wait(&relay->turn, relay->rounds);
    ferry_shutdown(relay->conn);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_reason(watch_reason(&relay->host.watch, 0, NULL), 0);
    host_stop(&relay->host);
}

static void two_threads_take_turns(void)
{
    static struct relay relay;
    int fd = begin(&relay, NULL);
    assert_int_equal(pthread_create(&relay.threads[0], NULL, take_even_turns, &relay), 0);
    assert_int_equal(pthread_create(&relay.threads[1], NULL, take_odd_turns, &relay), 0);
    end(&relay, fd);
    assert_int_equal(pthread_join(relay.threads[0], NULL), 0);
    assert_int_equal(pthread_join(relay.threads[1], NULL), 0);
}

static void a_thread_and_the_loop_take_turns(void)
{
    static struct relay relay;
    int fd = begin(&relay, NULL);
    assert_int_equal(pthread_create(&relay.threads[0], NULL, alternate_with_the_loop, &relay), 0);
    end(&relay, fd);
    assert_int_equal(pthread_join(relay.threads[0], NULL), 0);
}

/* The reader stays away until all is sent: most turns find a queue that the kernel does not take. */
static void taking_turns_while_the_window_is_shut(void)
{
    static struct relay relay;
    int fd = begin(&relay, &tiny);
    assert_int_equal(pthread_create(&relay.threads[0], NULL, alternate_with_the_loop, &relay), 0);
    assert_int_equal(pthread_join(relay.threads[0], NULL), 0);
    end(&relay, fd);
}

/* Within one callback: the loop and a helper thread in turn, each waiting for the other. */
struct steps {
    struct host host;
    ferry_conn *_Atomic conn; /* what the peer sends orders its threads, but TSan does not see that through io_uring */
    const size_t *lengths;
    struct count reached;
    pthread_t helper;
};

static void send_step(struct steps *steps, uint32_t number)
{
    size_t total;
    char *frame = frame_new(0, number, steps->lengths[number], &total);
    ferry_send(steps->conn, frame, total);
    free(frame);
    count_add(&steps->reached, 1);
}

static size_t step_in_the_callback(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct steps *steps = arg;
    (void)data;
    assert_ptr_equal(conn, steps->conn);
    send_step(steps, 0);
    count_wait(&steps->reached, 2);
    send_step(steps, 2);
    count_wait(&steps->reached, 4);
    ferry_send(conn, "late", 4); /* after the helper's shutdown: dropped */
    count_add(&steps->reached, 1);
    return len;
}

static void *step_beside_the_callback(void *arg)
{
    struct steps *steps = arg;
    count_wait(&steps->reached, 1);
    send_step(steps, 1);
    count_wait(&steps->reached, 3);
    ferry_shutdown(steps->conn);
    count_add(&steps->reached, 1);
    return NULL;
}

static void run_steps(const size_t lengths[3], const struct peer_options *options)
{
    static struct steps steps;
    struct frame_reader reader = {.gaps = false};
    ferry_stats stats;
    const ferry_service service = {
        .arg = &steps, .on_data = step_in_the_callback, .socket.send_buffer = options != NULL ? SEND_BUFFER : 0};
    steps = (struct steps){.lengths = lengths};
    host_start(&steps.host, &service);
    int fd = peer_connect_with(steps.host.address, options);
    steps.conn = watch_conn(&steps.host.watch, 0);
    assert_int_equal(pthread_create(&steps.helper, NULL, step_beside_the_callback, &steps), 0);
    peer_write(fd, "go", 2);
    count_wait(&steps.reached, 5);
    frames_read_to_eof(&reader, fd);
    assert_int_equal(reader.frames, 3);
    peer_close(fd);
    assert_int_equal(pthread_join(steps.helper, NULL), 0);
    assert_reason(watch_reason(&steps.host.watch, 0, &stats), 0);
    assert_int_equal(stats.drops, 1);
    assert_int_equal(stats.dropped, 4);
    assert_reason(stats.drop_reason, -ESHUTDOWN);
    host_stop(&steps.host);
}

static void a_thread_joins_in_while_a_callback_sends(void)
{
    static const size_t sizes[] = {10, 5000, FRAME_BODY_MAX};
    for (size_t i = 0; i < 3 * 3 * 3; i++) {
        const size_t lengths[3] = {sizes[i % 3], sizes[i / 3 % 3], sizes[i / 9]};
        case_row("lengths %zu %zu %zu", lengths[0], lengths[1], lengths[2]);
        run_steps(lengths, NULL);
        run_steps(lengths, &tiny);
    }
}

/* A thread sends and hands over to the loop, which shuts down; or the other way round. Nothing may be cut off. */
struct last {
    struct host host;
    ferry_conn *conn;
    size_t length;
    struct count sent, shut;
};

static void shut_down(void *arg)
{
    struct last *last = arg;
    ferry_shutdown(last->conn);
    ferry_send(last->conn, "late", 4);
    count_add(&last->shut, 1);
}

static void send_last(void *arg)
{
    struct last *last = arg;
    size_t total;
    for (uint32_t i = 0; i < 4; i++) {
        char *frame = frame_new(0, i, last->length, &total);
        ferry_send(last->conn, frame, total);
        free(frame);
    }
    count_add(&last->sent, 1);
}

static void send_here_and_shut_down_there(struct last *last)
{
    send_last(last);
    ferry_post(ferry_conn_loop(last->conn), shut_down, last);
    count_wait(&last->shut, 1);
}

static void send_there_and_shut_down_here(struct last *last)
{
    ferry_post(ferry_conn_loop(last->conn), send_last, last);
    count_wait(&last->sent, 1);
    shut_down(last);
}

static void run_last(void (*act)(struct last *last), size_t length, const struct peer_options *options)
{
    const ferry_service service = {.socket.send_buffer = options != NULL ? SEND_BUFFER : 0};
    static struct last last;
    struct frame_reader reader = {.gaps = false};
    last = (struct last){.length = length};
    host_start(&last.host, &service);
    int fd = peer_connect_with(last.host.address, options);
    last.conn = watch_conn(&last.host.watch, 0);
    act(&last);
    frames_read_to_eof(&reader, fd);
    assert_int_equal(reader.frames, 4);
    peer_close(fd);
    assert_reason(watch_reason(&last.host.watch, 0, NULL), 0);
    host_stop(&last.host);
}

static void shutdown_takes_its_turn(void)
{
    for (size_t i = 0; i < scale(100); i++) {
        size_t length = (i * i * 97) % FRAME_BODY_MAX;
        case_row("length %zu", length);
        run_last(send_here_and_shut_down_there, length, NULL);
        run_last(send_there_and_shut_down_here, length, NULL);
        run_last(send_here_and_shut_down_there, length, &tiny);
        run_last(send_there_and_shut_down_here, length, &tiny);
    }
}

const struct test_case test_cases[] = {
    {"two_threads_take_turns", two_threads_take_turns},
    {"a_thread_and_the_loop_take_turns", a_thread_and_the_loop_take_turns},
    {"taking_turns_while_the_window_is_shut", taking_turns_while_the_window_is_shut},
    {"a_thread_joins_in_while_a_callback_sends", a_thread_joins_in_while_a_callback_sends},
    {"shutdown_takes_its_turn", shutdown_takes_its_turn},
    {NULL, NULL},
};
