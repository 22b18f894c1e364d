/* SPDX-License-Identifier: MIT
 *
 * A reference never goes stale: whatever is called on a dead or dying connection, from any thread, is safe, and a
 * counted no-op; what was given to ferry is released exactly once all the same.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { THREADS = 4, ROUNDS = 150 };

static struct count released;
static struct count given;

static void release(void *data)
{
    free(data);
    count_add(&released, 1);
}

struct hammer {
    struct host host;
    ferry_file *file;
    ferry_conn *conn; /* of this round; each thread has a reference of its own */
    struct count round, idle;
    bool stop;
    pthread_t threads[THREADS];
};

static void send_something(struct hammer *hammer, ferry_conn *conn, uint64_t *series)
{
    static const char bytes[5000];
    const struct iovec vector[2] = {{.iov_base = (void *)bytes, .iov_len = 10},
                                    {.iov_base = (void *)bytes, .iov_len = random_below(series, sizeof bytes)}};
    ferry_send(conn, bytes, random_below(series, sizeof bytes));
    ferry_sendv(conn, vector, 2);
    if (random_below(series, 4) == 0)
        ferry_send_file(conn, hammer->file, random_below(series, 1000), FERRY_TO_END);
    if (random_below(series, 4) == 0) {
        count_add(&given, 1);
        ferry_send_owned(conn, calloc(1, 100), 100, release);
    }
    if (random_below(series, 4) == 0) {
        ferry_blob *blob = ferry_blob_wrap(calloc(1, 3000), 3000, release);
        assert_non_null(blob);
        count_add(&given, 1);
        ferry_send_blob(conn, blob);
        ferry_blob_unref(blob);
    }
}

static void transfer_something(struct hammer *hammer, ferry_conn *conn)
{
    ferry_transfer *transfer = ferry_send_file_as(conn, hammer->file, 0, 100, NULL);
    if (transfer == NULL) {
        assert_true(errno == ENOTCONN || errno == ESHUTDOWN);
        return;
    }
    ferry_transfer_cancel(transfer);
    (void)ferry_transfer_sent(transfer);
    ferry_transfer_unref(transfer);
}

static void look(ferry_conn *conn)
{
    ferry_stats stats;
    ferry_conn_stats(conn, &stats);
    (void)ferry_conn_pending(conn);
    (void)ferry_conn_error(conn);
    assert_non_null(ferry_conn_loop(conn));
}

static void hit(struct hammer *hammer, ferry_conn *conn, uint64_t *series)
{
    switch (random_below(series, 40)) {
    case 0:
        ferry_shutdown(conn);
        break;
    case 1:
        ferry_close(conn);
        break;
    case 2:
        ferry_abort(conn);
        break;
    case 3:
        ferry_conn_pause(conn);
        break;
    case 4:
        ferry_conn_resume(conn);
        break;
    case 5:
        transfer_something(hammer, conn);
        break;
    case 6:
    case 7:
        look(conn);
        break;
    default:
        send_something(hammer, conn, series);
    }
}

static void *hammer_each_round(void *arg)
{
    struct hammer *hammer = arg;
    uint64_t series = (uint64_t)(uintptr_t)&series;
    for (uint64_t round = 1;; round++) {
        count_wait(&hammer->round, round);
        if (hammer->stop)
            return NULL;
        ferry_conn *conn = hammer->conn;
        for (size_t i = 0; i < 60; i++)
            hit(hammer, conn, &series);
        count_wait(&hammer->host.watch.closed, round);
        for (size_t i = 0; i < 20; i++)
            hit(hammer, conn, &series);
        ferry_conn_unref(conn);
        count_add(&hammer->idle, 1);
    }
}

static void die(int fd, size_t round)
{
    if (round % 3 == 0)
        peer_reset(fd);
    else {
        char buffer[20000];
        (void)recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (round % 3 == 1)
            (void)shutdown(fd, SHUT_WR); /* which may have been reset already */
        (void)recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        peer_reset(fd);
    }
}

static ferry_conn *newest; /* of the connection that opened last, with a reference */
static struct count contexts;

static void count_context(void *context)
{
    count_add(context, 1);
}

static void take_reference(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_conn_set_context(conn, &contexts, count_context);
    newest = ferry_conn_ref(conn);
}

static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len;
}

static void run_round(struct hammer *hammer, size_t round)
{
    int fd = peer_connect(hammer->host.address);
    host_settle(&hammer->host);
    count_wait(&hammer->host.watch.opened, round + 1);
    host_settle(&hammer->host);
    hammer->conn = newest;
    for (size_t i = 0; i < THREADS; i++)
        (void)ferry_conn_ref(hammer->conn);
    ferry_conn_unref(newest);
    count_add(&hammer->round, 1);
    if (round % 2 == 0)
        sleep_ms((unsigned)(round % 3));
    die(fd, round);
    count_wait(&hammer->idle, (round + 1) * THREADS);
}

static void threads_hammer_a_dying_connection(void)
{
    static const ferry_service service = {.on_open = take_reference, .on_data = swallow, .linger_ms = 20};
    static struct hammer hammer;
    struct temp temp;
    size_t rounds = scale(ROUNDS);
    hammer = (struct hammer){.stop = false};
    contexts = (struct count){0};
    temp_fill(&temp, 1, 10000);
    hammer.file = ferry_file_open(temp.path);
    assert_non_null(hammer.file);
    host_init(&hammer.host, &service);
    hammer.host.watch.keep = false;
    host_run(&hammer.host, "127.0.0.1:0", NULL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&hammer.threads[i], NULL, hammer_each_round, &hammer), 0);
    for (size_t i = 0; i < rounds; i++)
        run_round(&hammer, i);
    hammer.stop = true;
    count_add(&hammer.round, 1);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(hammer.threads[i], NULL), 0);
    ferry_file_unref(hammer.file);
    host_stop(&hammer.host);
    assert_int_equal(count_get(&released), count_get(&given));
    assert_int_equal(count_get(&contexts), rounds);
    temp_remove(&temp);
}

/* Each function on a connection that is gone; the pool is gone, too, the second time. */
static void call_all(struct temp *temp, ferry_conn *conn)
{
    ferry_stats before;
    ferry_stats after;
    struct hammer hammer = {.file = ferry_file_open(temp->path)};
    uint64_t freed = count_get(&released);
    const struct iovec vector = {.iov_base = "abc", .iov_len = 3};
    ferry_blob *blob = ferry_blob_new("blob", 4);
    assert_non_null(hammer.file);
    ferry_conn_stats(conn, &before);
    ferry_send(conn, "ab", 2);
    ferry_sendv(conn, &vector, 1);
    ferry_send_blob(conn, blob);
    ferry_send_file(conn, hammer.file, 0, 1000);
    ferry_send_owned(conn, calloc(1, 5), 5, release);
    assert_int_equal(count_get(&released), freed + 1);
    ferry_conn_stats(conn, &after);
    assert_int_equal(after.drops - before.drops, 5);
    assert_int_equal(after.dropped - before.dropped, 2 + 3 + 4 + 5 + 1000);
    assert_reason(after.drop_reason, -ENOTCONN);
    assert_int_equal(after.queued, before.queued);
    ferry_shutdown(conn);
    ferry_close(conn);
    ferry_abort(conn);
    ferry_conn_pause(conn);
    ferry_conn_resume(conn);
    assert_int_equal(ferry_conn_pending(conn), 0);
    ferry_blob_unref(blob);
    ferry_file_unref(hammer.file);
}

static void every_call_on_a_dead_connection_is_counted(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, 1000);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = ferry_conn_ref(watch_conn(&host.watch, 0));
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    call_all(&temp, conn);
    host_stop(&host);
    call_all(&temp, conn);
    assert_reason(ferry_conn_error(conn), 0);
    ferry_conn_unref(conn);
    ferry_conn_unref(NULL);
    temp_remove(&temp);
}

/* A pool that is freed with a connection open: on_close comes, and the reference outlives it. */
static void a_reference_outlives_its_pool(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    struct temp temp;
    temp_fill(&temp, 1, 1000);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = ferry_conn_ref(watch_conn(&host.watch, 0));
    char *data = pattern_new(1, 20000000);
    ferry_send(conn, data, 20000000);
    free(data);
    host_cut(&host);
    assert_reason(ferry_conn_error(conn), -ECANCELED);
    call_all(&temp, conn);
    ferry_conn_unref(conn);
    peer_close(fd);
    temp_remove(&temp);
}

/* The context goes with the last reference, not before, wherever that is given back. */
static void the_context_goes_with_the_last_reference(void)
{
    static const ferry_service service = {.on_open = take_reference};
    struct host host;
    contexts = (struct count){0};
    host_init(&host, &service);
    host.watch.keep = false;
    host_run(&host, "127.0.0.1:0", NULL);
    int fd = peer_connect(host.address);
    count_wait(&host.watch.opened, 1);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_settle(&host);
    assert_int_equal(count_get(&contexts), 0);
    assert_ptr_equal(ferry_conn_context(newest), &contexts);
    host_stop(&host);
    assert_int_equal(count_get(&contexts), 0);
    ferry_conn_unref(newest);
    assert_int_equal(count_get(&contexts), 1);
}

const struct test_case test_cases[] = {
    {"threads_hammer_a_dying_connection", threads_hammer_a_dying_connection},
    {"every_call_on_a_dead_connection_is_counted", every_call_on_a_dead_connection_is_counted},
    {"a_reference_outlives_its_pool", a_reference_outlives_its_pool},
    {"the_context_goes_with_the_last_reference", the_context_goes_with_the_last_reference},
    {NULL, NULL},
};
