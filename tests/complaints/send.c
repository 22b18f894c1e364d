/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: sending. docs/complaints.md has them all, with the tests that were there
 * before.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

/* libevent's locks: a thread that sends under a lock of its own meets a callback that takes the same lock; each waits for the
 * other. https://github.com/libevent/libevent/issues/1361, 200, 1670, 1750. An error-checking mutex tells also of a callback, or
 * a release, inside of the call. */
enum { SENDERS = 3, SENDS = 400, PIECE = 6000, PIECES_ONCE = 16 };

struct meeting {
    struct host host;
    ferry_conn *conn;
    pthread_mutex_t lock;
    struct count finished, sent, released;
};

static struct meeting meeting;

static void lock_up(void)
{
    assert_int_equal(pthread_mutex_lock(&meeting.lock), 0);
}

static void unlock(void)
{
    assert_int_equal(pthread_mutex_unlock(&meeting.lock), 0);
}

static void release_locked(void *data)
{
    lock_up();
    free(data);
    unlock();
    count_add(&meeting.released, 1);
}

static void send_locked(ferry_conn *conn)
{
    char *bytes = calloc(1, PIECE);
    assert_non_null(bytes);
    lock_up();
    ferry_send(conn, bytes, PIECE);
    ferry_send_owned(conn, bytes, PIECE, release_locked);
    unlock();
    count_add(&meeting.sent, 1);
}

static size_t on_data_locked(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    (void)arg;
    send_locked(conn);
    return len;
}

static void on_drain_locked(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
    lock_up();
    unlock();
}

static void on_mark_locked(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending;
    on_drain_locked(conn, arg);
}

static void *send_many_locked(void *arg)
{
    for (size_t i = 0; i < scale(SENDS); i++)
        send_locked(arg);
    count_add(&meeting.finished, 1);
    return NULL;
}

static void *read_on(void *arg)
{
    (void)peer_read_to_end(*(int *)arg, NULL, NULL);
    return NULL;
}

static void start_meeting(void)
{
    static const ferry_service service = {.on_data = on_data_locked,
                                          .on_drain = on_drain_locked,
                                          .on_high_water = on_mark_locked,
                                          .on_low_water = on_mark_locked,
                                          .high_water = 4 * PIECE,
                                          .socket.send_buffer = 16 * 1024};
    pthread_mutexattr_t checking;
    meeting = (struct meeting){.conn = NULL};
    assert_int_equal(pthread_mutexattr_init(&checking), 0);
    assert_int_equal(pthread_mutexattr_settype(&checking, PTHREAD_MUTEX_ERRORCHECK), 0);
    assert_int_equal(pthread_mutex_init(&meeting.lock, &checking), 0);
    assert_int_equal(pthread_mutexattr_destroy(&checking), 0);
    host_start(&meeting.host, &service);
}

static void a_users_lock_around_sends_meets_no_other(void)
{
    pthread_t senders[SENDERS];
    pthread_t reader;
    start_meeting();
    int fd = peer_connect_with(meeting.host.address, &(struct peer_options){.receive_buffer = 64 * 1024});
    meeting.conn = watch_conn(&meeting.host.watch, 0);
    assert_int_equal(pthread_create(&reader, NULL, read_on, &fd), 0);
    for (size_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&senders[i], NULL, send_many_locked, meeting.conn), 0);
    for (size_t i = 0; i < PIECES_ONCE; i++)
        peer_write(fd, "?", 1);
    count_wait(&meeting.finished, SENDERS);
    count_wait(&meeting.host.watch.data, 1);
    for (size_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_join(senders[i], NULL), 0);
    ferry_close(meeting.conn);
    assert_int_equal(pthread_join(reader, NULL), 0);
    peer_close(fd);
    count_wait(&meeting.host.watch.closed, 1);
    host_stop(&meeting.host);
    assert_int_equal(count_get(&meeting.released), count_get(&meeting.sent));
    assert_true(count_get(&meeting.host.watch.highs) > 0);
    assert_int_equal(pthread_mutex_destroy(&meeting.lock), 0);
}

/* "Written" is taken for "the peer has it". https://github.com/nodejs/help/issues/1687, https://github.com/axboe/liburing/issues/208,
 * https://github.com/cloudius-systems/osv/issues/557. What is in the kernel and what the peer's TCP has are two numbers, while
 * the connection is open, too. */
enum { FITTING = 128 * 1024 };

struct look {
    ferry_conn *conn;
    struct host *host;
    ferry_stats stats;
};

static void look_here(void *arg)
{
    struct look *look = arg;
    ferry_conn_stats(look->conn, &look->stats);
}

static bool all_acknowledged(void *arg)
{
    struct look *look = arg;
    host_call(look->host, 0, look_here, look);
    return look->stats.acknowledged == FITTING;
}

static void written_is_one_number_and_acknowledged_another(void)
{
    static const ferry_service service = {.socket.send_buffer = 2 * FITTING};
    struct host host;
    struct pattern pattern = {.seed = 1};
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &tiny);
    struct look look = {.conn = watch_conn(&host.watch, 0), .host = &host};
    char *data = pattern_new(1, FITTING);
    ferry_send(look.conn, data, FITTING);
    free(data);
    count_wait(&host.watch.drains, 1);
    host_call(&host, 0, look_here, &look);
    assert_int_equal(look.stats.written, FITTING);
    assert_int_equal(look.stats.unsent, 0);
    assert_true(look.stats.acknowledged < FITTING);
    assert_int_equal(look.stats.verdict, FERRY_VERDICT_OPEN);
    peer_read_pattern(fd, &pattern, FITTING);
    wait_until(all_acknowledged, &look);
    assert_int_equal(look.stats.verdict, FERRY_VERDICT_OPEN);
    peer_close(fd);
    host_stop(&host);
}

/* When is the buffer the caller's again? https://github.com/joyent/libuv/issues/436,
 * https://github.com/warmcat/libwebsockets/issues/1009; and the reactor of burger queues the caller's own bytes. With a send that
 * copies: when it returns. */
enum { LEAST_LEN = 100, MOST_LEN = 300000 };

static void send_and_overwrite(void *conn)
{
    static const size_t lengths[] = {LEAST_LEN, 5000, MOST_LEN, 3000, 70000};
    struct pattern pattern = {.seed = 2};
    char *bytes = malloc(MOST_LEN);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const struct iovec halves[] = {{bytes, lengths[i] / 2}, {bytes + lengths[i] / 2, lengths[i] - lengths[i] / 2}};
        pattern_fill(&pattern, bytes, lengths[i]);
        if (i % 2 == 0)
            ferry_send(conn, bytes, lengths[i]);
        else
            ferry_sendv(conn, halves, 2);
        memset(bytes, 0xee, lengths[i]);
    }
    free(bytes);
}

static void by_this_thread(struct host *host, ferry_conn *conn)
{
    (void)host;
    send_and_overwrite(conn);
}

static void by_the_loop(struct host *host, ferry_conn *conn)
{
    host_call(host, 0, send_and_overwrite, conn);
}

static void by_a_coroutine(struct host *host, ferry_conn *conn)
{
    ferry_co *co = ferry_spawn(ferry_pool_loop(host->pool, 0), send_and_overwrite, conn);
    assert_non_null(co);
    assert_int_equal(ferry_join(co), 0);
}

static void bytes_are_the_callers_again_on_return(void)
{
    static void (*const ways[])(struct host *, ferry_conn *) = {by_this_thread, by_the_loop, by_a_coroutine};
    static const ferry_service service = {.socket.send_buffer = 16 * 1024};
    enum { SUM = LEAST_LEN + 5000 + MOST_LEN + 3000 + 70000 };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct host host;
        struct pattern pattern = {.seed = 2};
        case_row("way %zu", i);
        host_start(&host, &service);
        int fd = peer_connect_with(host.address, &tiny);
        ways[i](&host, watch_conn(&host.watch, 0));
        assert_true(ferry_conn_pending(watch_conn(&host.watch, 0)) > 0);
        peer_read_pattern(fd, &pattern, SUM);
        peer_close(fd);
        host_stop(&host);
    }
}

/* muduo's length is an int. https://github.com/chenshuo/muduo (Buffer.h, TcpConnection.h). A message of 5 GiB, of which the
 * pages of zeros cost nothing, is queued whole; its beginning arrives, and the end is told with what was lost. */
#define MESSAGE (5ULL << 30)

static struct count unmapped;

static void unmap(void *data)
{
    assert_int_equal(munmap(data, MESSAGE), 0);
    count_add(&unmapped, 1);
}

static void *map(void)
{
    void *zeros = mmap(NULL, MESSAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(zeros, MAP_FAILED);
    return zeros;
}

static void send_owned(ferry_conn *conn)
{
    ferry_send_owned(conn, map(), MESSAGE, unmap);
}

static void send_blob(ferry_conn *conn)
{
    ferry_blob *blob = ferry_blob_wrap(map(), MESSAGE, unmap);
    assert_non_null(blob);
    ferry_send_blob(conn, blob);
    ferry_blob_unref(blob);
}

static void a_message_may_be_longer_than_4_gib(void)
{
    static void (*const ways[])(ferry_conn *) = {send_owned, send_blob};
    static const ferry_service service = {.socket.send_buffer = 16 * 1024};
    for (size_t i = 0; i < 2; i++) {
        struct host host;
        ferry_stats stats;
        static char bytes[100000];
        static const char zeros[sizeof bytes];
        case_row("way %zu", i);
        host_start(&host, &service);
        int fd = peer_connect_with(host.address, &tiny);
        ferry_conn *conn = watch_conn(&host.watch, 0);
        ways[i](conn);
        peer_read(fd, bytes, sizeof bytes);
        assert_memory_equal(bytes, zeros, sizeof bytes);
        assert_true(ferry_conn_pending(conn) > 4ULL << 30);
        peer_reset(fd);
        assert_reason(watch_reason(&host.watch, 0, &stats), -ECONNRESET);
        assert_int_equal(stats.queued, MESSAGE);
        assert_true(stats.unsent > 4ULL << 30);
        host_stop(&host);
        assert_int_equal(count_get(&unmapped), i + 1);
    }
}

const struct test_case test_cases[] = {
    {"a_users_lock_around_sends_meets_no_other", a_users_lock_around_sends_meets_no_other},
    {"written_is_one_number_and_acknowledged_another", written_is_one_number_and_acknowledged_another},
    {"bytes_are_the_callers_again_on_return", bytes_are_the_callers_again_on_return},
    {"a_message_may_be_longer_than_4_gib", a_message_may_be_longer_than_4_gib},
    {NULL, NULL},
};
