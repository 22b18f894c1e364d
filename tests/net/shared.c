/* SPDX-License-Identifier: MIT
 *
 * Bytes that are not copied: one blob for many receivers, and bytes that are ferry's until released. Each is released
 * exactly once, in every ending.
 */
#include "case.h"
#include "host.h"
#include "inside.h"
#include "pattern.h"
#include "peer.h"

#include <malloc.h>
#include <stdlib.h>

enum { RECEIVERS = 100, LEN = 1000000 };

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};
static const ferry_service small_buffers = {.socket.send_buffer = 16 * 1024};

static struct count released;

static void release_blob(void *data)
{
    assert_false(inside_call());
    free(data);
    count_add(&released, 1);
}

static void send_to_all(struct host *host, size_t receivers, int *fds)
{
    ferry_blob *blob = ferry_blob_wrap(pattern_new(1, LEN), LEN, release_blob);
    assert_non_null(blob);
    for (size_t i = 0; i < receivers; i++) {
        fds[i] = peer_connect_with(host->address, &tiny);
        ferry_send_blob(watch_conn(&host->watch, i), blob);
    }
    ferry_blob_unref(blob);
}

/* The last receiver is kept waiting: until it has its last byte but the kernel's share, the blob stays. */
static void one_blob_for_a_hundred_receivers(void)
{
    struct host host;
    int fds[RECEIVERS];
    size_t receivers = scale(RECEIVERS) < 4 ? 4 : scale(RECEIVERS);
    released = (struct count){0};
    host_init(&host, &small_buffers);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    send_to_all(&host, receivers, fds);
    for (size_t i = 0; i < receivers; i++) {
        struct pattern pattern = {.seed = 1};
        assert_int_equal(count_get(&released), 0);
        peer_read_pattern(fds[i], &pattern, LEN);
        peer_close(fds[i]);
    }
    count_wait(&released, 1);
    count_wait(&host.watch.closed, receivers);
    host_stop(&host);
    assert_int_equal(count_get(&released), 1);
}

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void the_receivers_share_one_copy(void)
{
    struct host host;
    int fds[RECEIVERS];
    host_init(&host, &small_buffers);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    size_t before = memory_in_use();
    send_to_all(&host, RECEIVERS, fds);
    for (size_t i = 0; i < RECEIVERS; i++)
        assert_true(ferry_conn_pending(watch_conn(&host.watch, i)) > LEN / 2);
    assert_true(memory_in_use() < before + 10U * LEN);
    for (size_t i = 0; i < RECEIVERS; i++)
        peer_reset(fds[i]);
    count_wait(&host.watch.closed, RECEIVERS);
    host_stop(&host);
}

/* Receivers that die at different points; the blob is released once when the last has gone. */
static void receivers_that_die(void)
{
    struct host host;
    int fds[RECEIVERS];
    released = (struct count){0};
    host_init(&host, &small_buffers);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    send_to_all(&host, 20, fds);
    for (size_t i = 0; i < 20; i++) {
        struct pattern pattern = {.seed = 1};
        assert_int_equal(count_get(&released), 0);
        peer_read_pattern(fds[i], &pattern, i * 10000);
        if (i % 2 == 0)
            ferry_abort(watch_conn(&host.watch, i));
        peer_reset(fds[i]);
    }
    count_wait(&released, 1);
    count_wait(&host.watch.closed, 20);
    host_stop(&host);
    assert_int_equal(count_get(&released), 1);
}

/* What happens to bytes that ferry owns: a table of endings. */
static ferry_conn *owner;

static void release_owned(void *data)
{
    if (ferry_conn_error(owner) == 0 || !inside_call()) {
        assert_ptr_equal(ferry_loop_current(), ferry_conn_loop(owner));
        assert_false(inside_call());
    }
    free(data);
    count_add(&released, 1);
}

/* On a connection that has closed already, it is released at once, inside the call. */
static void release_of_the_dead(void *data)
{
    free(data);
    count_add(&released, 1);
}

static void send_owned(ferry_conn *conn, size_t len)
{
    ferry_send_owned(conn, pattern_new(1, len), len, release_owned);
}

static void sent_whole(struct host *host, int fd)
{
    struct pattern pattern = {.seed = 1};
    (void)host;
    send_owned(owner, LEN);
    peer_read_pattern(fd, &pattern, LEN);
}

static void dies_in_the_middle(struct host *host, int fd)
{
    struct pattern pattern = {.seed = 1};
    (void)host;
    send_owned(owner, LEN);
    peer_read_pattern(fd, &pattern, LEN / 10);
}

static void aborted_at_once(struct host *host, int fd)
{
    (void)host;
    (void)fd;
    send_owned(owner, LEN);
    ferry_abort(owner);
}

static void after_a_shutdown(struct host *host, int fd)
{
    (void)host;
    (void)fd;
    ferry_shutdown(owner);
    send_owned(owner, LEN);
}

static void over_the_limit(struct host *host, int fd)
{
    (void)host;
    (void)fd;
    send_owned(owner, 3 * LEN);
}

static void after_the_close(struct host *host, int fd)
{
    (void)fd;
    ferry_abort(owner);
    count_wait(&host->watch.closed, 1);
    ferry_send_owned(owner, calloc(1, 1), 1, release_of_the_dead);
    assert_int_equal(count_get(&released), 1);
}

static void send_from_the_loop(void *arg)
{
    (void)arg;
    send_owned(owner, LEN);
}

static void sent_from_the_loop(struct host *host, int fd)
{
    struct pattern pattern = {.seed = 1};
    host_call(host, 0, send_from_the_loop, NULL);
    peer_read_pattern(fd, &pattern, LEN);
}

static void stopped_pool(struct host *host, int fd)
{
    (void)fd;
    send_owned(owner, LEN);
    ferry_pool_stop(host->pool);
    ferry_pool_stop(host->pool);
}

static const struct {
    const char *name;
    void (*act)(struct host *host, int fd);
    ferry_overflow overflow;
} endings[] = {
    {"sent whole", sent_whole, FERRY_OVERFLOW_CLOSE},
    {"sent from the loop", sent_from_the_loop, FERRY_OVERFLOW_CLOSE},
    {"dies in the middle", dies_in_the_middle, FERRY_OVERFLOW_CLOSE},
    {"aborted at once", aborted_at_once, FERRY_OVERFLOW_CLOSE},
    {"after a shutdown", after_a_shutdown, FERRY_OVERFLOW_CLOSE},
    {"over the limit, closing", over_the_limit, FERRY_OVERFLOW_CLOSE},
    {"over the limit, dropping", over_the_limit, FERRY_OVERFLOW_DROP},
    {"after the close", after_the_close, FERRY_OVERFLOW_CLOSE},
    {"stopped pool", stopped_pool, FERRY_OVERFLOW_CLOSE},
};

static void owned_bytes_are_released_once_in_every_ending(void)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        struct host host;
        ferry_service service = small_buffers;
        service.overflow = endings[i].overflow;
        service.max_pending = 2 * LEN;
        case_row("%s", endings[i].name);
        released = (struct count){0};
        host_start(&host, &service);
        int fd = peer_connect_with(host.address, &tiny);
        owner = watch_conn(&host.watch, 0);
        endings[i].act(&host, fd);
        peer_reset(fd);
        count_wait(&host.watch.closed, 1);
        count_wait(&released, 1);
        host_stop(&host);
        assert_int_equal(count_get(&released), 1);
    }
}

/* Owned bytes may be static: without a release there is nothing to do. */
static void no_release_is_allowed(void)
{
    static char bytes[] = "static";
    struct host host;
    char read[sizeof bytes];
    host_start(&host, &small_buffers);
    int fd = peer_connect(host.address);
    ferry_send_owned(watch_conn(&host.watch, 0), bytes, sizeof bytes, NULL);
    peer_read(fd, read, sizeof bytes);
    assert_memory_equal(read, bytes, sizeof bytes);
    peer_close(fd);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"one_blob_for_a_hundred_receivers", one_blob_for_a_hundred_receivers},
    {"the_receivers_share_one_copy", the_receivers_share_one_copy},
    {"receivers_that_die", receivers_that_die},
    {"owned_bytes_are_released_once_in_every_ending", owned_bytes_are_released_once_in_every_ending},
    {"no_release_is_allowed", no_release_is_allowed},
    {NULL, NULL},
};
