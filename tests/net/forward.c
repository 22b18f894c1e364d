/* SPDX-License-Identifier: MIT
 *
 * Forwarding: what one connection receives the kernel sends to another, whole and in order, with backpressure; ends are
 * told as ever, and carrying them across is up to the service, as here.
 */
#include "case.h"
#include "frames.h"
#include "host.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SIZE = 64 * 1024 * 1024 };

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

/* A host whose first two connections are joined, each the other's context. */
struct relay {
    struct host host;
    int near, far; /* the clients' ends */
    ferry_conn *a, *b;
    int results[2];
};

static void half_close_other(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_shutdown(ferry_conn_context(conn));
}

static void end_other(ferry_conn *conn, int reason, void *arg)
{
    (void)arg;
    ferry_conn *other = ferry_conn_context(conn);
    if (reason < 0 && other)
        ferry_abort(other);
    ferry_conn_set_context(conn, NULL, NULL);
}

static const ferry_service joined = {.on_eof = half_close_other, .on_close = end_other};

static void unref(void *conn)
{
    ferry_conn_unref(conn);
}

static void introduce(ferry_conn *a, ferry_conn *b)
{
    ferry_conn_set_context(a, ferry_conn_ref(b), unref);
    ferry_conn_set_context(b, ferry_conn_ref(a), unref);
}

static void join(void *arg)
{
    struct relay *relay = arg;
    introduce(relay->a, relay->b);
    relay->results[0] = ferry_forward(relay->a, relay->b);
    relay->results[1] = ferry_forward(relay->b, relay->a);
}

static void relay_connect(struct relay *relay, const char *address, const struct peer_options *far)
{
    host_init(&relay->host, &joined);
    host_run(&relay->host, address, &(ferry_pool_options){.threads = 1, .grace_ms = case_patience_ms()});
    relay->near = peer_connect(relay->host.address);
    relay->a = watch_conn(&relay->host.watch, 0);
    relay->far = peer_connect_with(relay->host.address, far ? far : &(struct peer_options){0});
    relay->b = watch_conn(&relay->host.watch, 1);
}

static void relay_start(struct relay *relay, const struct peer_options *far)
{
    relay_connect(relay, "127.0.0.1:0", far);
    host_call(&relay->host, 0, join, relay);
    assert_int_equal(relay->results[0], 0);
    assert_int_equal(relay->results[1], 0);
}

/* The peers have closed, or close now. */
static void relay_stop(struct relay *relay)
{
    close(relay->near);
    close(relay->far);
    count_wait(&relay->host.watch.closed, 2);
    host_stop(&relay->host);
}

struct stream {
    int fd;
    uint64_t seed;
    size_t len;
    pthread_t thread;
};

static void *write_stream(void *arg)
{
    struct stream *stream = arg;
    struct pattern pattern = {.seed = stream->seed};
    uint64_t state = stream->seed;
    while (pattern.at < stream->len) {
        size_t left = stream->len - (size_t)pattern.at;
        size_t len = random_below(&state, 300000) + 1;
        peer_write_pattern(stream->fd, &pattern, len < left ? len : left);
    }
    peer_half_close(stream->fd);
    return NULL;
}

static void start_stream(struct stream *stream, int fd, uint64_t seed)
{
    *stream = (struct stream){.fd = fd, .seed = seed, .len = scale(SIZE)};
    assert_int_equal(pthread_create(&stream->thread, NULL, write_stream, stream), 0);
}

static void expect_stream(int fd, const struct stream *stream)
{
    struct pattern pattern = {.seed = stream->seed};
    uint64_t total;
    assert_int_equal(peer_read_to_end(fd, &pattern, &total), 0);
    assert_int_equal(total, stream->len);
}

static void check_stats(struct relay *relay, uint64_t bytes)
{
    ferry_stats in, out;
    ferry_conn_stats(relay->a, &in);
    ferry_conn_stats(relay->b, &out);
    assert_int_equal(in.received, bytes);
    assert_int_equal(out.queued, bytes);
    assert_int_equal(out.written, bytes);
    assert_int_equal(out.drops, 0);
}

/* One way, then its end; then the other way. */
static void transfer(const char *address)
{
    struct relay relay;
    struct stream stream;
    relay_connect(&relay, address, NULL);
    host_call(&relay.host, 0, join, &relay);
    start_stream(&stream, relay.near, 1);
    expect_stream(relay.far, &stream);
    pthread_join(stream.thread, NULL);
    start_stream(&stream, relay.far, 2);
    expect_stream(relay.near, &stream);
    pthread_join(stream.thread, NULL);
    count_wait(&relay.host.watch.closed, 2);
    check_stats(&relay, scale(SIZE));
    assert_int_equal(count_get(&relay.host.watch.data), 0);
    assert_reason(ferry_conn_error(relay.a), 0);
    assert_reason(ferry_conn_error(relay.b), 0);
    relay_stop(&relay);
}

static void every_byte_arrives_and_half_closes_are_carried(void)
{
    char path[80] = "unix:";
    temp_name(path + 5, sizeof path - 5, "forward");
    transfer("127.0.0.1:0");
    transfer(path);
}

static void both_ways_at_once(void)
{
    struct relay relay;
    struct stream there, back;
    struct pattern pattern = {.seed = 2};
    relay_start(&relay, NULL);
    start_stream(&there, relay.near, 1);
    start_stream(&back, relay.far, 2);
    peer_read_pattern(relay.near, &pattern, 1000);
    expect_stream(relay.far, &there);
    peer_read_pattern(relay.near, &pattern, back.len - 1000);
    peer_expect_eof(relay.near);
    pthread_join(there.thread, NULL);
    pthread_join(back.thread, NULL);
    relay_stop(&relay);
}

/* What was received before, with on_data or left behind by it, goes first. */
static size_t greet(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct relay *relay = arg;
    if (conn != relay->a || len < 10)
        return 0;
    assert_memory_equal(data, "header", 6);
    join(relay);
    assert_int_equal(relay->results[0], 0);
    return 6;
}

static void what_came_before_goes_first(void)
{
    static struct relay relay;
    static ferry_service service;
    service = joined;
    service.on_data = greet;
    service.arg = &relay;
    host_start(&relay.host, &service);
    relay.far = peer_connect(relay.host.address);
    relay.b = watch_conn(&relay.host.watch, 0);
    peer_write(relay.far, "from afar", 9); /* left behind, since on_data wants more */
    count_wait(&relay.host.watch.data, 1);
    relay.near = peer_connect(relay.host.address);
    relay.a = watch_conn(&relay.host.watch, 1);
    peer_write(relay.near, "head", 4);
    count_wait(&relay.host.watch.data, 2);
    peer_write(relay.near, "er and body", 11);
    char text[16];
    peer_read(relay.far, text, 9);
    assert_memory_equal(text, " and body", 9);
    peer_read(relay.near, text, 9);
    assert_memory_equal(text, "from afar", 9);
    relay_stop(&relay);
}

static size_t write_until_full(int fd, struct pattern *pattern)
{
    char bytes[4096];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    size_t total = 0;
    for (;;) {
        struct pattern ahead = *pattern;
        pattern_fill(&ahead, bytes, sizeof bytes);
        ssize_t n = write(fd, bytes, sizeof bytes);
        if (n < 0)
            break;
        total += (size_t)n;
        pattern->at += (uint64_t)n;
    }
    assert_int_equal(errno, EAGAIN);
    fcntl(fd, F_SETFL, 0);
    return total;
}

static bool stuck(void *arg)
{
    struct relay *relay = arg;
    return ferry_conn_pending(relay->b) > 0;
}

/* A reader that stands still holds the writer back; then all of it arrives. Returns how much was written. */
static uint64_t fill_up(struct relay *relay, struct pattern *pattern)
{
    uint64_t before;
    do {
        before = pattern->at;
        write_until_full(relay->near, pattern);
        wait_until(stuck, relay);
        host_settle(&relay->host);
    } while (pattern->at > before);
    return pattern->at;
}

/* Nothing happens, and nothing is done. */
static void expect_rest(struct host *host)
{
    ferry_loop_counters before, after;
    host_settle(host);
    host_counters(host, 0, &before);
    sleep_ms(50);
    host_counters(host, 0, &after);
    assert_in_range(after.turns - before.turns, 0, 1000); /* the kernel tells of this and that; spinning takes more */
}

static void a_slow_reader_holds_the_writer_back(void)
{
    struct relay relay;
    struct pattern written = {.seed = 5}, read = {.seed = 5};
    relay_start(&relay, &tiny);
    expect_rest(&relay.host);
    uint64_t total = fill_up(&relay, &written);
    expect_rest(&relay.host);
    assert_true(ferry_conn_pending(relay.b) <= 1 << 20); /* one pipe; the rest waits at the writer's */
    peer_half_close(relay.near);
    peer_read_pattern(relay.far, &read, total);
    peer_expect_eof(relay.far);
    relay_stop(&relay);
}

static void a_reset_is_told_while_all_is_full(void)
{
    struct relay relay;
    struct pattern written = {.seed = 6};
    relay_start(&relay, &tiny);
    fill_up(&relay, &written);
    peer_reset(relay.near);
    relay.near = -1;
    assert_int_equal(peer_read_to_end(relay.far, NULL, NULL), ECONNRESET);
    count_wait(&relay.host.watch.closed, 2);
    assert_reason(ferry_conn_error(relay.a), -ECONNRESET);
    assert_reason(ferry_conn_error(relay.b), -ECONNABORTED);
    relay_stop(&relay);
}

/* Both come while the loop is at something else, which is told of them at once: recv(2), and splice(2), say 0 then. */
static void finish_and_reset(void *arg)
{
    struct relay *relay = arg;
    peer_half_close(relay->near);
    peer_reset(relay->near);
    relay->near = -1;
}

static void a_reset_behind_the_end_is_told(void)
{
    struct relay relay;
    relay_start(&relay, NULL);
    host_call(&relay.host, 0, finish_and_reset, &relay);
    assert_int_equal(peer_read_to_end(relay.far, NULL, NULL), ECONNRESET);
    count_wait(&relay.host.watch.closed, 2);
    assert_reason(ferry_conn_error(relay.a), -ECONNRESET);
    relay_stop(&relay);
}

static void a_reader_that_resets_ends_the_writer(void)
{
    struct relay relay;
    struct pattern written = {.seed = 7};
    relay_start(&relay, &tiny);
    fill_up(&relay, &written);
    peer_reset(relay.far);
    relay.far = -1;
    assert_int_equal(peer_read_to_end(relay.near, NULL, NULL), ECONNRESET);
    count_wait(&relay.host.watch.closed, 2);
    assert_reason(ferry_conn_error(relay.b), -ECONNRESET);
    relay_stop(&relay);
}

/* The bytes that were on their way to a reader that is gone must not come out at another. */
static void what_was_lost_goes_to_nobody_else(void)
{
    struct relay relay;
    struct pattern written = {.seed = 10}, read = {.seed = 11};
    relay_start(&relay, &tiny);
    int near = peer_connect(relay.host.address), far = peer_connect(relay.host.address);
    struct relay second = {.a = watch_conn(&relay.host.watch, 2), .b = watch_conn(&relay.host.watch, 3)};
    host_call(&relay.host, 0, join, &second);
    fill_up(&relay, &written);
    peer_reset(relay.far);
    relay.far = -1;
    count_wait(&relay.host.watch.closed, 2);
    written = (struct pattern){.seed = 11};
    peer_write_pattern(near, &written, 1000);
    peer_read_pattern(far, &read, 1000);
    peer_close(near);
    peer_expect_eof(far);
    peer_close(far);
    count_wait(&relay.host.watch.closed, 4);
    relay_stop(&relay);
}

/* Pieces that are forwarded, zeros here, come between the messages of others, never into one. */
static void *send_frames(void *arg)
{
    ferry_conn *conn = arg;
    for (uint32_t i = 0; i < scale(2000); i++) {
        size_t total;
        void *frame = frame_new(1, i, i % 7 * 900, &total);
        ferry_send(conn, frame, total);
        free(frame);
    }
    return NULL;
}

struct zeros {
    int fd;
    pthread_t frames; /* the end of the zeros, which is passed on, would be the end of these */
};

static void *write_zeros(void *arg)
{
    static const char bytes[3000];
    const struct zeros *zeros = arg;
    for (size_t i = 1; i < scale(2000); i++)
        peer_write(zeros->fd, bytes, 1 + i % sizeof bytes);
    pthread_join(zeros->frames, NULL);
    peer_half_close(zeros->fd);
    return NULL;
}

/* Reads the zeros in front of a frame, or of the end; returns how many. */
static uint64_t skip_zeros(int fd)
{
    char bytes[4096];
    uint64_t total = 0;
    for (;;) {
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK);
        assert_true(n >= 0);
        size_t zeros = 0;
        while (zeros < (size_t)n && bytes[zeros] == 0)
            zeros++;
        if (zeros == 0)
            return total;
        peer_read(fd, bytes, zeros);
        total += zeros;
    }
}

static void messages_of_others_stay_whole(void)
{
    struct relay relay;
    struct frame_reader reader = {0};
    uint64_t zeros = 0, written = 0;
    pthread_t filler;
    relay_start(&relay, NULL);
    struct zeros filling = {.fd = relay.near};
    pthread_create(&filling.frames, NULL, send_frames, relay.b);
    pthread_create(&filler, NULL, write_zeros, &filling);
    for (uint32_t i = 0; i < scale(2000); i++) {
        zeros += skip_zeros(relay.far);
        assert_true(frame_read(&reader, relay.far));
    }
    zeros += skip_zeros(relay.far);
    peer_expect_eof(relay.far);
    pthread_join(filler, NULL);
    for (size_t i = 1; i < scale(2000); i++)
        written += 1 + i % 3000;
    assert_int_equal(zeros, written);
    relay_stop(&relay);
}

static void forward_to_itself(void *arg)
{
    struct relay *relay = arg;
    ferry_conn_set_context(relay->a, ferry_conn_ref(relay->a), unref);
    relay->results[0] = ferry_forward(relay->a, relay->a);
}

static void to_itself_is_an_echo(void)
{
    struct relay relay;
    struct stream stream;
    host_start(&relay.host, &joined);
    relay.near = peer_connect(relay.host.address);
    relay.a = watch_conn(&relay.host.watch, 0);
    host_call(&relay.host, 0, forward_to_itself, &relay);
    assert_int_equal(relay.results[0], 0);
    start_stream(&stream, relay.near, 3);
    expect_stream(relay.near, &stream);
    pthread_join(stream.thread, NULL);
    count_wait(&relay.host.watch.closed, 1);
    peer_close(relay.near);
    host_stop(&relay.host);
}

/* No descriptor is left for a pipe: it goes through memory, as whole as ever. */
static void without_descriptors(void)
{
    struct relay relay;
    struct stream stream;
    struct rlimit before, none;
    relay_start(&relay, NULL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    start_stream(&stream, relay.near, 8);
    expect_stream(relay.far, &stream);
    pthread_join(stream.thread, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    peer_half_close(relay.far);
    relay_stop(&relay);
}

static void a_pause_holds_it(void)
{
    struct relay relay;
    char bytes[4];
    relay_start(&relay, NULL);
    ferry_conn_pause(relay.a);
    host_settle(&relay.host);
    peer_write(relay.near, "held", 4);
    peer_write(relay.far, "free", 4);
    peer_read(relay.near, bytes, 4); /* the other way goes on */
    assert_false(peer_readable(relay.far));
    ferry_conn_resume(relay.a);
    peer_read(relay.far, bytes, 4);
    assert_memory_equal(bytes, "held", 4);
    relay_stop(&relay);
}

/* What is on its way when the pool is stopped arrives, and what the kernel had received by then. */
static void stopping_finishes_what_is_on_its_way(void)
{
    struct relay relay;
    struct pattern written = {.seed = 9}, read = {.seed = 9};
    relay_start(&relay, &tiny);
    fill_up(&relay, &written);
    int received; /* by the kernel, for the connection that the writer sees */
    assert_int_equal(ioctl(peer_other_end(peer_port(relay.near)), FIONREAD, &received), 0);
    assert_true(received > 0);
    ferry_stats stats;
    ferry_conn_stats(relay.a, &stats);
    uint64_t arrived = stats.received + (uint64_t)received;
    ferry_pool_stop(relay.host.pool);
    peer_half_close(relay.near);
    assert_int_equal(peer_read_to_end(relay.far, &read, NULL), 0);
    assert_true(read.at >= arrived);
    relay_stop(&relay);
}

/* One that has ended is not waited for. */
static void stopping_ends_what_is_half_closed(void)
{
    struct relay relay;
    char bytes[4];
    relay_start(&relay, NULL);
    peer_write(relay.near, "last", 4);
    peer_half_close(relay.near);
    peer_read(relay.far, bytes, 4);
    peer_expect_eof(relay.far);
    ferry_pool_stop(relay.host.pool);
    peer_expect_eof(relay.near);
    peer_half_close(relay.far);
    count_wait(&relay.host.watch.closed, 2);
    assert_reason(ferry_conn_error(relay.a), 0);
    assert_reason(ferry_conn_error(relay.b), 0);
    relay_stop(&relay);
}

struct refusal {
    ferry_conn *from, *to;
    int result;
};

static void try_forward(void *arg)
{
    struct refusal *try = arg;
    try->result = ferry_forward(try->from, try->to);
}

static int forward_on(struct host *host, unsigned index, ferry_conn *from, ferry_conn *to)
{
    struct refusal try = {.from = from, .to = to};
    host_call(host, index, try_forward, &try);
    return try.result;
}

static void what_is_refused(void)
{
    struct host host;
    int fds[3];
    ferry_conn *conns[3];
    host_init(&host, &(ferry_service){.on_eof = NULL});
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    for (size_t i = 0; i < 3; i++) {
        fds[i] = peer_connect(host.address);
        conns[i] = watch_conn(&host.watch, i);
    }
    bool odd = ferry_conn_loop(conns[0]) == ferry_conn_loop(conns[1]);
    ferry_conn *a = conns[0], *b = conns[odd ? 1 : 2], *other = conns[odd ? 2 : 1];
    assert_ptr_equal(ferry_conn_loop(a), ferry_conn_loop(b));
    unsigned index = ferry_conn_loop(a) == ferry_pool_loop(host.pool, 0) ? 0 : 1;
    assert_int_equal(forward_on(&host, index, a, other), -EINVAL);
    assert_int_equal(forward_on(&host, index, a, b), 0);
    assert_int_equal(forward_on(&host, index, a, b), -EINVAL);
    for (size_t i = 0; i < 3; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, 3);
    host_settle(&host);
    assert_int_equal(forward_on(&host, index, b, a), -ENOTCONN);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"every_byte_arrives_and_half_closes_are_carried", every_byte_arrives_and_half_closes_are_carried},
    {"both_ways_at_once", both_ways_at_once},
    {"what_came_before_goes_first", what_came_before_goes_first},
    {"a_slow_reader_holds_the_writer_back", a_slow_reader_holds_the_writer_back},
    {"a_reset_is_told_while_all_is_full", a_reset_is_told_while_all_is_full},
    {"a_reset_behind_the_end_is_told", a_reset_behind_the_end_is_told},
    {"a_reader_that_resets_ends_the_writer", a_reader_that_resets_ends_the_writer},
    {"what_was_lost_goes_to_nobody_else", what_was_lost_goes_to_nobody_else},
    {"messages_of_others_stay_whole", messages_of_others_stay_whole},
    {"to_itself_is_an_echo", to_itself_is_an_echo},
    {"without_descriptors", without_descriptors},
    {"a_pause_holds_it", a_pause_holds_it},
    {"stopping_finishes_what_is_on_its_way", stopping_finishes_what_is_on_its_way},
    {"stopping_ends_what_is_half_closed", stopping_ends_what_is_half_closed},
    {"what_is_refused", what_is_refused},
    {NULL, NULL},
};
