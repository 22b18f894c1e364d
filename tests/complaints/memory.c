/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: memory that is kept, or copied, for nothing. See docs/complaints.md.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include "base/buffer.h"

#include <malloc.h>
#include <stdlib.h>

/* A connection that was busy once keeps its buffers for ever. https://github.com/memcached/memcached/issues/328,
 * https://github.com/aspnet/KestrelHttpServer/issues/699, https://github.com/cloudamqp/lavinmq/pull/1549. */
enum { MESSAGE = 256 * 1024, CONNS = 32 };

static size_t echo_whole(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    if (len < MESSAGE)
        return 0;
    ferry_send(conn, data, len);
    return len;
}

static void serve_whole(ferry_conn *conn, void *arg)
{
    char *message;
    (void)arg;
    while ((message = malloc(MESSAGE)) != NULL && ferry_recv_exact(conn, message, MESSAGE) == MESSAGE) {
        ferry_send(conn, message, MESSAGE);
        free(message);
        if (ferry_flush(conn) < 0)
            return;
    }
    free(message);
}

static void *write_message(void *arg)
{
    struct pattern pattern = {.seed = 1};
    peer_write_pattern(*(int *)arg, &pattern, MESSAGE);
    return NULL;
}

static void be_busy_once(int fd)
{
    struct pattern pattern = {.seed = 1};
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_message, &fd), 0);
    peer_read_pattern(fd, &pattern, MESSAGE);
    assert_int_equal(pthread_join(writer, NULL), 0);
}

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void check_idle(const ferry_service *service)
{
    struct host host;
    int fds[CONNS];
    host_start(&host, service);
    for (size_t i = 0; i < CONNS; i++)
        fds[i] = peer_connect(host.address);
    be_busy_once(fds[0]); /* what the loop keeps warm for all is there by now */
    count_wait(&host.watch.opened, CONNS);
    host_settle(&host);
    size_t before = memory_in_use();
    for (size_t i = 0; i < CONNS; i++)
        be_busy_once(fds[i]);
    host_settle(&host);
    assert_true(memory_in_use() < before + (size_t)CONNS * MESSAGE / 4);
    for (size_t i = 0; i < CONNS; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, CONNS);
    host_stop(&host);
}

static void an_idle_connection_keeps_no_buffers(void)
{
    case_row("callbacks");
    check_idle(&(ferry_service){.on_data = echo_whole});
    case_row("a coroutine");
    check_idle(&(ferry_service){.serve = serve_whole});
}

/* A message that waits to be whole grows by copying, each time all of it. https://github.com/chenshuo/muduo/issues/422. */
static size_t cap_of(const struct fy_buffer *buffer)
{
    return buffer != NULL ? buffer->cap : 0;
}

static void what_waits_to_be_whole_grows_by_doubling(void)
{
    enum { PIECES = 4096 };
    struct fy_buffer *buffer = NULL;
    static const char piece[1024];
    size_t moves = 0;
    for (size_t i = 0; i < PIECES; i++) {
        size_t cap = cap_of(buffer);
        assert_true(fy_buffer_append(&buffer, piece, sizeof piece));
        moves += cap_of(buffer) != cap;
    }
    assert_int_equal(fy_buffer_size(buffer), PIECES * sizeof piece);
    assert_in_range(moves, 1, 16);
    fy_buffer_consume(&buffer, PIECES * sizeof piece);
    assert_null(buffer);
}

const struct test_case test_cases[] = {
    {"an_idle_connection_keeps_no_buffers", an_idle_connection_keeps_no_buffers},
    {"what_waits_to_be_whole_grows_by_doubling", what_waits_to_be_whole_grows_by_doubling},
    {NULL, NULL},
};
