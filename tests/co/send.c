/* SPDX-License-Identifier: MIT
 *
 * Sending from coroutines: one of the connection's loop is held back above high_water, and goes on at low_water, while the
 * loop runs on; several share what there is; nobody else ever waits.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"
#include "temp.h"

#include "../net/frames.h"

#include <stdatomic.h>
#include <stdlib.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

enum { HIGH = 256 * 1024, LOW = 64 * 1024, PIECE = 32 * 1024, STREAM = 32 * 1024 * 1024 };

struct hold {
    struct host host;
    ferry_conn *conn;
    size_t len;
    size_t most; /* pending after a send */
    struct count begun;
};

/* The first byte says what the peer wants: bytes, or an echo. */
static void serve(ferry_conn *conn, void *arg)
{
    struct hold *hold = arg;
    struct pattern pattern = {.seed = 1};
    char piece[PIECE];
    char byte;
    assert_int_equal(ferry_recv(conn, &byte, 1), 1);
    if (byte == 'e') {
        while (ferry_recv(conn, &byte, 1) == 1)
            ferry_send(conn, &byte, 1);
        return;
    }
    while (pattern.at < hold->len) {
        pattern_fill(&pattern, piece, sizeof piece);
        ferry_send(conn, piece, sizeof piece);
        size_t pending = ferry_conn_pending(conn);
        if (pending > hold->most)
            hold->most = pending;
    }
}

static void ping_pong(int fd, size_t rounds)
{
    char back = 0;
    for (size_t i = 0; i < rounds; i++) {
        char byte = (char)('a' + i % 26);
        peer_write(fd, &byte, 1);
        peer_read(fd, &back, 1);
        assert_int_equal(back, byte);
    }
}

static void held_back_and_resumed(void)
{
    static struct hold hold;
    struct pattern pattern = {.seed = 1};
    hold = (struct hold){.len = scale(STREAM / PIECE) * PIECE};
    if (hold.len < 16 * PIECE)
        hold.len = 64 * PIECE;
    host_start(
        &hold.host,
        &(ferry_service){
            .serve = serve, .arg = &hold, .high_water = HIGH, .low_water = LOW, .socket.send_buffer = 16 * 1024});
    int fd = peer_connect_with(hold.host.address, &tiny);
    int other = peer_connect(hold.host.address);
    peer_write(fd, "s", 1);
    peer_write(other, "e", 1);
    wait_parked(&hold.host, NULL, "ferry_send");
    assert_true(ferry_conn_pending(watch_conn(&hold.host.watch, 0)) > HIGH);
    ping_pong(other, 100); /* the loop runs on */
    assert_int_equal(parked(&hold.host, 0, NULL, "ferry_send"), 1);
    peer_read_pattern(fd, &pattern, HIGH - LOW - PIECE); /* not enough yet: the kernel's share is in it */
    peer_read_pattern(fd, &pattern, hold.len - pattern.at);
    peer_expect_eof(fd);
    peer_close(fd);
    peer_close(other);
    count_wait(&hold.host.watch.closed, 2);
    host_stop(&hold.host);
    assert_true(hold.most <= HIGH); /* when a send returns, it may be at the mark, but never above it */
}

/* Several coroutines on one connection: nobody is left behind. */
enum { SENDERS = 8, FRAMES = 100, BODY = 60 * 1024 };

struct share {
    struct host host;
    ferry_conn *conn;
    ferry_co *cos[SENDERS];
    uint32_t next;
};

static void send_frames(void *arg)
{
    struct share *share = arg;
    uint32_t sender = share->next++;
    for (uint32_t i = 0; i < FRAMES; i++) {
        size_t len;
        char *frame = frame_new(sender, i, BODY, &len);
        ferry_send(share->conn, frame, len);
        free(frame);
    }
}

static void wait_for_it(ferry_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    assert_true(ferry_recv(conn, &byte, 1) <= 0);
}

static void expect_progress_of_all(const struct frame_reader *reader)
{
    uint32_t least = FRAMES;
    uint32_t most = 0;
    for (size_t i = 0; i < SENDERS; i++) {
        least = reader->next[i] < least ? reader->next[i] : least;
        most = reader->next[i] > most ? reader->next[i] : most;
    }
    if (most >= 20)
        assert_true(least >= most / 8);
}

static void each_of_several_gets_on(void)
{
    static struct share share;
    struct frame_reader reader = {.frames = 0};
    share = (struct share){.next = 0};
    host_start(&share.host,
               &(ferry_service){.serve = wait_for_it, .high_water = HIGH, .socket.send_buffer = 16 * 1024});
    int fd = peer_connect_with(share.host.address, &(struct peer_options){.receive_buffer = 64 * 1024});
    share.conn = watch_conn(&share.host.watch, 0);
    for (size_t i = 0; i < SENDERS; i++)
        share.cos[i] = start(&share.host, 0, "sender", send_frames, &share);
    wait_parked_many(&share.host, "sender", "ferry_send", SENDERS);
    for (size_t i = 0; i < (size_t)SENDERS * FRAMES; i++) {
        assert_true(frame_read(&reader, fd));
        expect_progress_of_all(&reader);
    }
    for (size_t i = 0; i < SENDERS; i++)
        assert_int_equal(ferry_join(share.cos[i]), 0);
    peer_close(fd);
    count_wait(&share.host.watch.closed, 1);
    host_stop(&share.host);
}

/* Who never waits, though nothing is ever read: a plain thread, a coroutine of another loop, a callback. */
enum { MUCH = 16 * 1024 * 1024 };

static void send_pieces(void *conn)
{
    char *piece = calloc(1, PIECE);
    assert_non_null(piece);
    for (size_t i = 0; i < MUCH / PIECE; i++)
        ferry_send(conn, piece, PIECE);
    free(piece);
    assert_true(ferry_conn_pending(conn) > HIGH);
}

static void others_never_wait(void)
{
    struct host host;
    host_init(&host, &(ferry_service){.serve = wait_for_it, .high_water = HIGH});
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    int fd = peer_connect_with(host.address, &tiny);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    unsigned here = loop_index(&host, conn);
    send_pieces(conn);
    host_call(&host, here, send_pieces, conn);
    host_call(&host, 1 - here, send_pieces, conn);
    run_through(&host, 1 - here, send_pieces, conn);
    assert_int_equal(parked(&host, 1 - here, NULL, NULL), 0);
    peer_reset(fd);
    count_wait(&host.watch.closed, 1);
    host_cut(&host);
}

/* Every way of sending is held back; only a file costs no memory, and is not. */
struct way {
    struct host host;
    ferry_conn *conn;
    ferry_file *file;
    atomic_bool returned;
    struct count freed;
};

static struct way *the_way;

static void release(void *data)
{
    free(data);
    count_add(&the_way->freed, 1);
}

static char *new_bytes(void)
{
    char *bytes = calloc(1, MUCH);
    assert_non_null(bytes);
    return bytes;
}

static void by_vector(void *arg)
{
    struct way *way = arg;
    char *bytes = new_bytes();
    ferry_sendv(way->conn, (struct iovec[]){{bytes, MUCH / 2}, {bytes, MUCH / 2}}, 2);
    free(bytes);
    atomic_store(&way->returned, true);
}

static void by_owned(void *arg)
{
    struct way *way = arg;
    ferry_send_owned(way->conn, new_bytes(), MUCH, release);
    atomic_store(&way->returned, true);
}

static void by_blob(void *arg)
{
    struct way *way = arg;
    ferry_blob *blob = ferry_blob_wrap(new_bytes(), MUCH, release);
    assert_non_null(blob);
    ferry_send_blob(way->conn, blob);
    ferry_blob_unref(blob);
    atomic_store(&way->returned, true);
}

static void by_file(void *arg)
{
    struct way *way = arg;
    ferry_send_file(way->conn, way->file, 0, FERRY_TO_END);
    atomic_store(&way->returned, true);
}

static void check_way(void (*send)(void *), bool waits, uint64_t releases)
{
    static struct way way;
    struct temp temp;
    uint64_t total = 0;
    way = (struct way){.file = NULL};
    the_way = &way;
    temp_fill(&temp, 1, MUCH);
    way.file = ferry_file_open(temp.path);
    host_start(&way.host, &(ferry_service){.serve = wait_for_it, .high_water = HIGH});
    int fd = peer_connect_with(way.host.address, &tiny);
    way.conn = watch_conn(&way.host.watch, 0);
    ferry_co *co = start(&way.host, 0, "sender", send, &way);
    if (waits)
        wait_parked(&way.host, "sender", "ferry_send");
    else
        assert_int_equal(ferry_join(co), 0);
    assert_int_equal(atomic_load(&way.returned), !waits);
    peer_half_close(fd);
    assert_int_equal(peer_read_to_end(fd, NULL, &total), 0);
    assert_int_equal(total, MUCH);
    assert_int_equal(ferry_join(co), 0);
    count_wait(&way.freed, releases);
    peer_close(fd);
    ferry_file_unref(way.file);
    host_stop(&way.host);
    temp_remove(&temp);
}

static void in_every_way_of_sending(void)
{
    check_way(by_vector, true, 0);
    check_way(by_owned, true, 1);
    check_way(by_blob, true, 1);
    check_way(by_file, false, 0);
}

/* A loop that only flushes and sends gives way to others, however fast its reader is. */
static void gush(ferry_conn *conn, void *arg)
{
    char piece[PIECE] = "";
    char byte;
    (void)arg;
    assert_int_equal(ferry_recv(conn, &byte, 1), 1);
    if (byte == 'e') {
        while (ferry_recv(conn, &byte, 1) == 1)
            ferry_send(conn, &byte, 1);
        return;
    }
    while (ferry_flush(conn) == 0)
        ferry_send(conn, piece, sizeof piece);
}

static void *read_all(void *arg)
{
    (void)peer_read_to_end(*(int *)arg, NULL, NULL);
    return NULL;
}

static void a_loop_of_flushes_gives_way(void)
{
    struct host host;
    pthread_t thread;
    host_start(&host, &(ferry_service){.serve = gush});
    int fd = peer_connect(host.address);
    int other = peer_connect(host.address);
    peer_write(other, "e", 1);
    assert_int_equal(pthread_create(&thread, NULL, read_all, &fd), 0);
    peer_write(fd, "s", 1);
    ping_pong(other, scale(200));
    peer_close(other);
    ferry_close(watch_conn(&host.watch, 0)); /* and its coroutine is told */
    count_wait(&host.watch.served, 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
    peer_close(fd);
    host_stop(&host);
}

/* What was peeked is consumed after the send, and the send parks: the end, and the end of the input, may come first. */
static void echo_peeked(ferry_conn *conn, void *arg)
{
    const void *data;
    ssize_t n;
    (void)arg;
    while ((n = ferry_peek(conn, &data)) > 0) {
        ferry_send(conn, data, (size_t)n);
        ferry_consume(conn, (size_t)n);
    }
    assert_true(n < 0);
}

static void reset_it(struct host *host, int fd)
{
    (void)host;
    peer_reset(fd);
}

static void close_here(struct host *host, int fd)
{
    ferry_close(watch_conn(&host->watch, 0));
    count_wait(&host->watch.served, 1);
    peer_reset(fd);
}

static void the_end_comes_while_it_is_parked(void)
{
    static void (*const ends[])(struct host *, int fd) = {reset_it, close_here};
    for (size_t i = 0; i < 2; i++) {
        struct host host;
        char bytes[PIECE] = {0};
        case_row("end %zu", i);
        host_start(&host, &(ferry_service){.serve = echo_peeked,
                                           .high_water = HIGH,
                                           .low_water = LOW,
                                           .linger_ms = 20,
                                           .socket.send_buffer = 16 * 1024});
        int fd = peer_connect_with(host.address, &tiny);
        for (size_t sent = 0; parked(&host, 0, NULL, "ferry_send") == 0; sent++)
            if (sent < 20) /* more than is queued, not more than goes without being read */
                peer_write(fd, bytes, sizeof bytes);
        ends[i](&host, fd);
        count_wait(&host.watch.served, 1);
        count_wait(&host.watch.closed, 1);
        host_stop(&host);
    }
}

const struct test_case test_cases[] = {
    {"held_back_and_resumed", held_back_and_resumed},
    {"each_of_several_gets_on", each_of_several_gets_on},
    {"others_never_wait", others_never_wait},
    {"in_every_way_of_sending", in_every_way_of_sending},
    {"the_end_comes_while_it_is_parked", the_end_comes_while_it_is_parked},
    {"a_loop_of_flushes_gives_way", a_loop_of_flushes_gives_way},
    {NULL, NULL},
};
