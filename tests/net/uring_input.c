/* SPDX-License-Identifier: MIT
 *
 * Input that the kernel has at hand before anybody wants it: more than there are buffers for, more events than its
 * queue holds, and pauses while receives are armed. Over each backend, since what is promised is the same.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Many peers, each with a stream of its own: a byte that says which, then the pattern. */
struct crowd {
    struct host host;
    size_t count, len;  /* peers, and bytes of the pattern each, */
    size_t first;       /* of which so many are there before the loop looks */
    uint64_t series;    /* the loop's */
    unsigned pauses;    /* one in so many calls pauses; 0 = none */
    size_t leaves_most; /* bytes left unconsumed now and then */
    bool begins_paused;
    struct count ended, resumed;
};

struct stream {
    struct pattern pattern;
    bool begun, paused;
};

static void begin(ferry_conn *conn, void *arg)
{
    const struct crowd *crowd = arg;
    struct stream *stream = calloc(1, sizeof *stream);
    assert_non_null(stream);
    ferry_conn_set_context(conn, stream, free);
    if (crowd->begins_paused)
        ferry_conn_pause(conn);
}

static void go_on(void *arg)
{
    ferry_conn *conn = arg;
    struct stream *stream = ferry_conn_context(conn);
    stream->paused = false;
    ferry_conn_resume(conn);
    ferry_conn_unref(conn);
}

static size_t check(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct crowd *crowd = arg;
    struct stream *stream = ferry_conn_context(conn);
    const char *bytes = data;
    size_t head = 0;
    assert_false(stream->paused);
    if (!stream->begun) {
        stream->pattern.seed = (unsigned char)bytes[0];
        stream->begun = true;
        head = 1;
    }
    if (crowd->pauses > 0 && random_below(&crowd->series, crowd->pauses) == 0) {
        stream->paused = true;
        ferry_conn_pause(conn);
        ferry_post(ferry_conn_loop(conn), go_on, ferry_conn_ref(conn));
    }
    size_t rest = len - head;
    bool last = stream->pattern.at + rest == crowd->len;
    size_t left = crowd->leaves_most > 0 && !last ? random_below(&crowd->series, crowd->leaves_most) : 0;
    size_t used = left < rest ? rest - left : rest;
    pattern_check(&stream->pattern, bytes + head, used);
    return head + used;
}

static void count_end(ferry_conn *conn, void *arg)
{
    struct crowd *crowd = arg;
    const struct stream *stream = ferry_conn_context(conn);
    assert_int_equal(stream->pattern.at, crowd->len);
    count_add(&crowd->ended, 1);
    ferry_close(conn);
}

static void write_part(const struct crowd *crowd, int fd, size_t index, size_t from, size_t to)
{
    struct pattern pattern = {.seed = (unsigned char)index, .at = from};
    peer_write_pattern(fd, &pattern, to - from);
    if (from < to && to == crowd->len)
        peer_half_close(fd);
}

static void *write_streams(void *arg)
{
    struct crowd *crowd = arg;
    int *fds = calloc(crowd->count, sizeof *fds);
    assert_non_null(fds);
    for (size_t i = 0; i < crowd->count; i++)
        fds[i] = peer_connect(crowd->host.address);
    count_wait(&crowd->host.watch.opened, crowd->count);
    host_settle(&crowd->host);
    count_add(&crowd->resumed, 1);
    count_wait(&crowd->resumed, 2); /* the loop is held by now, or all are paused */
    for (size_t i = 0; i < crowd->count; i++) {
        peer_write(fds[i], &(char){(char)i}, 1);
        write_part(crowd, fds[i], i, 0, crowd->first);
    }
    count_add(&crowd->resumed, 1);
    for (size_t i = 0; i < crowd->count; i++)
        write_part(crowd, fds[i], i, crowd->first, crowd->len);
    for (size_t i = 0; i < crowd->count; i++) {
        peer_expect_eof(fds[i]);
        peer_close(fds[i]);
    }
    free(fds);
    return NULL;
}

/* The loop is held until the peers have written all, so that it is there at once. */
static void hold(void *arg)
{
    struct crowd *crowd = arg;
    count_add(&crowd->resumed, 1);
    count_wait(&crowd->resumed, 3);
    if (crowd->begins_paused)
        for (size_t i = 0; i < crowd->count; i++)
            ferry_conn_resume(watch_conn(&crowd->host.watch, i));
}

static void run_crowd(struct crowd *crowd)
{
    const ferry_service service = {.arg = crowd, .on_open = begin, .on_data = check, .on_eof = count_end};
    pthread_t writer;
    host_start(&crowd->host, &service);
    assert_int_equal(pthread_create(&writer, NULL, write_streams, crowd), 0);
    count_wait(&crowd->resumed, 1);
    host_call(&crowd->host, 0, hold, crowd);
    assert_int_equal(pthread_join(writer, NULL), 0);
    count_wait(&crowd->host.watch.closed, crowd->count);
    assert_int_equal(count_get(&crowd->ended), crowd->count);
    host_stop(&crowd->host);
}

/* 20 MiB at once, where io_uring has 4 MiB of buffers at most. */
static void all_at_once(void)
{
    static struct crowd crowd;
    crowd = (struct crowd){.count = scale(200), .len = 100000, .first = 100000};
    run_crowd(&crowd);
}

static void more_than_the_buffers_hold(void)
{
    host_on_each_backend(all_at_once);
}

static void by_fits_and_starts(void)
{
    static struct crowd crowd;
    crowd = (struct crowd){.count = scale(100), .len = 500000, .first = 80000, .pauses = 3, .leaves_most = 2000};
    run_crowd(&crowd);
}

static void more_than_the_buffers_hold_with_pauses(void)
{
    host_on_each_backend(by_fits_and_starts);
}

/* Data and the end of each come at once as soon as it is asked for: two events of each. */
static void far_more_events_than_usual(void)
{
    static struct crowd crowd;
    crowd = (struct crowd){.count = scale(2500), .len = 100, .first = 100, .begins_paused = true};
    run_crowd(&crowd);
}

static void more_events_than_the_queue_holds(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    host_on_each_backend(far_more_events_than_usual);
}

/* One peer that does something while it is paused, after a receive has been armed for it. */
enum ending { FIN, DATA, DATA_AND_FIN, RESET, DATA_AND_RESET, ENDINGS };

struct paused {
    struct host host;
    char got[16];
    size_t len;
    struct count told;
};

static size_t keep(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct paused *paused = arg;
    (void)conn;
    assert_true(paused->len + len <= sizeof paused->got);
    memcpy(paused->got + paused->len, data, len);
    paused->len += len;
    count_add(&paused->told, len);
    return len;
}

static void act(int fd, enum ending ending)
{
    if (ending == DATA || ending == DATA_AND_FIN || ending == DATA_AND_RESET)
        peer_write(fd, "late", 4);
    if (ending == FIN || ending == DATA_AND_FIN)
        peer_half_close(fd);
    if (ending == RESET || ending == DATA_AND_RESET)
        peer_reset(fd);
}

static void expect_nothing_until_resumed(struct paused *paused, ferry_conn *conn, enum ending ending)
{
    host_settle(&paused->host);
    host_settle(&paused->host);
    assert_int_equal(paused->len, 4);
    assert_int_equal(count_get(&paused->host.watch.eofs), 0);
    ferry_conn_resume(conn);
    if (ending != FIN) {
        count_wait(&paused->told, 8);
        assert_memory_equal(paused->got, "soonlate", 8);
    }
    if (ending != DATA)
        count_wait(&paused->host.watch.eofs, 1);
}

static void close_it(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_close(conn);
}

static void each_ending(void)
{
    for (enum ending ending = FIN; ending < ENDINGS; ending++)
        for (size_t round = 0; round < scale(20); round++) {
            static struct paused paused;
            paused = (struct paused){.len = 0};
            const ferry_service service = {.arg = &paused, .on_data = keep, .on_eof = close_it};
            bool reset = ending == RESET || ending == DATA_AND_RESET;
            host_start(&paused.host, &service);
            int fd = peer_connect(paused.host.address);
            ferry_conn *conn = watch_conn(&paused.host.watch, 0);
            peer_write(fd, "soon", 4);
            count_wait(&paused.told, 4);
            ferry_conn_pause(conn);
            if (round % 2 == 0)
                host_settle(&paused.host); /* else it may come before the receive is taken back */
            act(fd, ending);
            if (!reset && round % 2 == 0)
                expect_nothing_until_resumed(&paused, conn, ending);
            else if (!reset)
                ferry_conn_resume(conn);
            if (!reset)
                peer_close(fd);
            assert_reason(watch_reason(&paused.host.watch, 0, NULL), reset ? -ECONNRESET : 0);
            if (!reset)
                assert_int_equal(paused.len, ending == FIN ? 4 : 8);
            host_stop(&paused.host);
        }
}

static void each_ending_while_paused(void)
{
    host_on_each_backend(each_ending);
}

/* Forwarding is switched on while the stream comes in, at a place the stream does not know of. */
enum { STREAM = 4 * 1024 * 1024 };

struct relay {
    struct host host;
    ferry_conn *to;
    size_t seen, after; /* bytes in on_data, and the number that switches it on */
};

static size_t pass_on(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct relay *relay = arg;
    size_t used = len < relay->after - relay->seen ? len : relay->after - relay->seen;
    ferry_send(relay->to, data, used);
    relay->seen += used;
    if (relay->seen == relay->after)
        assert_int_equal(ferry_forward(conn, relay->to), 0);
    return used;
}

static void hand_on_end(ferry_conn *conn, void *arg)
{
    struct relay *relay = arg;
    if (conn == relay->to)
        return;
    ferry_shutdown(relay->to);
    ferry_shutdown(conn);
}

struct writing {
    int fd;
    size_t len;
};

static void *write_stream(void *arg)
{
    const struct writing *writing = arg;
    struct pattern pattern = {.seed = 9};
    peer_write_pieces(writing->fd, &pattern, writing->len, 50000);
    peer_half_close(writing->fd);
    return NULL;
}

static void switch_over(size_t after)
{
    static struct relay relay;
    struct pattern pattern = {.seed = 9};
    uint64_t total;
    pthread_t thread;
    relay = (struct relay){.after = after};
    const ferry_service service = {.arg = &relay, .on_data = pass_on, .on_eof = hand_on_end};
    host_start(&relay.host, &service);
    int far = peer_connect(relay.host.address);
    relay.to = watch_conn(&relay.host.watch, 0);
    host_settle(&relay.host); /* for the loop to see it */
    struct writing writing = {.fd = peer_connect(relay.host.address), .len = scale(STREAM)};
    assert_int_equal(pthread_create(&thread, NULL, write_stream, &writing), 0);
    assert_int_equal(peer_read_to_end(far, &pattern, &total), 0);
    assert_int_equal(total, writing.len);
    assert_int_equal(pthread_join(thread, NULL), 0);
    peer_close(far);
    peer_expect_eof(writing.fd);
    peer_close(writing.fd);
    host_stop(&relay.host);
}

static void at_each_place(void)
{
    for (size_t after = 1; after < 200000; after = after * 3 + 500)
        switch_over(after);
}

static void forwarding_begins_on_the_way(void)
{
    host_on_each_backend(at_each_place);
}

/* Another thread closes while the first piece is looked at, of which some is left: that is not kept, so what came
 * behind it is not told, either. The loop is held until all of it is there. */
struct cut_short {
    struct host host;
    struct count written;
    unsigned calls;
};

static void hold_open(ferry_conn *conn, void *arg)
{
    struct cut_short *cut = arg;
    (void)conn;
    count_wait(&cut->written, 1);
}

static void *close_from_here(void *arg)
{
    ferry_close(arg);
    return NULL;
}

static size_t leave_half(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct cut_short *cut = arg;
    pthread_t thread;
    (void)data;
    cut->calls++;
    assert_int_equal(pthread_create(&thread, NULL, close_from_here, conn), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return len / 2;
}

static void close_in_the_middle(void)
{
    static const char stream[100 * 1024];
    struct cut_short cut = {0};
    const ferry_service service = {.on_open = hold_open, .on_data = leave_half, .arg = &cut};
    host_start(&cut.host, &service);
    int fd = peer_connect(cut.host.address);
    peer_write(fd, stream, sizeof stream);
    count_add(&cut.written, 1);
    peer_expect_eof(fd);
    peer_close(fd);
    count_wait(&cut.host.watch.closed, 1);
    host_stop(&cut.host);
    assert_int_equal(cut.calls, 1);
}

static void nothing_is_told_behind_what_a_close_dropped(void)
{
    host_on_each_backend(close_in_the_middle);
}

/* Far more than all buffers hold goes through, but never much at once. Nobody touches the bytes, so that a sanitizer has
 * nothing to remember of them. */
enum { PIECE = 32 * 1024, PIECES = 400, FEW = 2 * 1024 * 1024 };

static size_t count_bytes(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    count_add(arg, len);
    return len;
}

static void one_piece_at_a_time(void)
{
    static struct host host;
    static const char piece[PIECE];
    struct count received = {0};
    const ferry_service service = {.on_data = count_bytes, .arg = &received};
    size_t before = 0;
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    for (size_t i = 1; i <= PIECES; i++) {
        peer_write(fd, piece, sizeof piece);
        count_wait(&received, i * sizeof piece);
        if (i == 1)
            before = case_resident();
    }
    size_t now = case_resident();
    if (now > before + FEW)
        fail_msg("%zu bytes more are resident", now - before);
    peer_close(fd);
    host_stop(&host);
}

static void few_bytes_at_once_touch_few_buffers(void)
{
    host_on_each_backend(one_piece_at_a_time);
}

const struct test_case test_cases[] = {
    {"more_than_the_buffers_hold", more_than_the_buffers_hold},
    {"more_than_the_buffers_hold_with_pauses", more_than_the_buffers_hold_with_pauses},
    {"more_events_than_the_queue_holds", more_events_than_the_queue_holds},
    {"each_ending_while_paused", each_ending_while_paused},
    {"forwarding_begins_on_the_way", forwarding_begins_on_the_way},
    {"nothing_is_told_behind_what_a_close_dropped", nothing_is_told_behind_what_a_close_dropped},
    {"few_bytes_at_once_touch_few_buffers", few_bytes_at_once_touch_few_buffers},
    {NULL, NULL},
};
