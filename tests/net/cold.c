/* SPDX-License-Identifier: MIT
 *
 * A file that is not in the page cache is read by a worker, not by the loop. How long the other connections had to wait
 * meanwhile is printed; how long is right depends on the disk, so it is not asserted.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 64 * 1024 * 1024 };

/* Whether the kernel could be made to forget the file: not on a file system that lives in memory. */
static bool make_cold(const struct temp *temp, uint64_t len)
{
    char byte;
    const struct iovec vector = {.iov_base = &byte, .iov_len = 1};
    assert_int_equal(fsync(temp->fd), 0);
    assert_int_equal(posix_fadvise(temp->fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    return preadv2(temp->fd, &vector, 1, (off_t)(len / 2), RWF_NOWAIT) < 0 && errno == EAGAIN;
}

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

struct pinger {
    int fd;
    struct count stop, rounds;
    uint64_t longest_ns;
    pthread_t thread;
};

static void *ping(void *arg)
{
    struct pinger *pinger = arg;
    char bytes[4];
    while (count_get(&pinger->stop) == 0) {
        uint64_t begin = now_ns();
        peer_write(pinger->fd, "ping", 4);
        peer_read(pinger->fd, bytes, 4);
        uint64_t took = now_ns() - begin;
        pinger->longest_ns = took > pinger->longest_ns ? took : pinger->longest_ns;
        count_add(&pinger->rounds, 1);
    }
    return NULL;
}

static void stop_pinger(struct pinger *pinger, struct host *host)
{
    count_add(&pinger->stop, 1);
    assert_int_equal(pthread_join(pinger->thread, NULL), 0);
    print_message("%ju pings meanwhile, the longest took %.1f ms\n", (uintmax_t)count_get(&pinger->rounds),
                  (double)pinger->longest_ns / 1e6);
    peer_close(pinger->fd);
    count_wait(&host->watch.closed, 2);
}

static void a_cold_file_goes_by_the_worker(void)
{
    static const ferry_service service = {.on_data = echo};
    struct host host;
    struct temp temp;
    ferry_loop_counters counters;
    uint64_t len = scale(SIZE);
    struct pattern pattern = {.seed = 1};
    temp_fill(&temp, 1, len);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    struct pinger pinger = {.fd = peer_connect(host.address)};
    (void)watch_conn(&host.watch, 1);
    assert_int_equal(pthread_create(&pinger.thread, NULL, ping, &pinger), 0);
    bool cold = make_cold(&temp, len);
    ferry_send_file(conn, file, 0, len);
    ferry_file_unref(file);
    ferry_shutdown(conn);
    peer_read_pattern(fd, &pattern, len);
    peer_expect_eof(fd);
    peer_close(fd);
    host_counters(&host, 0, &counters);
    print_message("cold ranges: %ju\n", (uintmax_t)counters.cold);
    assert_true(!cold || counters.cold > 0);
    stop_pinger(&pinger, &host);
    host_stop(&host);
    temp_remove(&temp);
}

/* Cold ranges, between messages, to several connections at once; some die while the worker reads for them. */
static void cold_files_in_many_queues(void)
{
    enum { CONNS = 8, PART = 3 * 1024 * 1024 };
    static const ferry_service service = {.on_data = echo};
    struct host host;
    struct temp temp;
    int fds[CONNS];
    temp_fill(&temp, 1, CONNS * (uint64_t)PART);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_init(&host, &service);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    (void)make_cold(&temp, CONNS * (uint64_t)PART);
    for (uint64_t i = 0; i < CONNS; i++) {
        fds[i] = peer_connect(host.address);
        ferry_conn *conn = watch_conn(&host.watch, i);
        ferry_send(conn, "<", 1);
        ferry_send_file(conn, file, i * PART, PART);
        ferry_send(conn, ">", 1);
        if (i % 2 == 1)
            ferry_abort(conn);
    }
    ferry_file_unref(file);
    for (uint64_t i = 0; i < CONNS; i += 2) {
        struct pattern pattern = {.seed = 1, .at = i * PART};
        char mark;
        peer_read(fds[i], &mark, 1);
        assert_int_equal(mark, '<');
        peer_read_pattern(fds[i], &pattern, PART);
        peer_read(fds[i], &mark, 1);
        assert_int_equal(mark, '>');
    }
    for (size_t i = 0; i < CONNS; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, CONNS);
    host_stop(&host);
    temp_remove(&temp);
}

/* A file that shrinks while the worker is at it ends the connection like any other. */
static void a_cold_file_that_shrinks(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    struct temp temp;
    uint64_t len = scale(SIZE);
    temp_fill(&temp, 1, len);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    (void)make_cold(&temp, len);
    ferry_send_file(conn, file, 0, len);
    ferry_shutdown(conn);
    ferry_file_unref(file);
    assert_int_equal(ftruncate(temp.fd, (off_t)(len / 2)), 0);
    assert_int_equal(peer_read_to_end(fd, &(struct pattern){.seed = 1}, NULL), ECONNRESET);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), -ENODATA);
    host_stop(&host);
    temp_remove(&temp);
}

const struct test_case test_cases[] = {
    {"a_cold_file_goes_by_the_worker", a_cold_file_goes_by_the_worker},
    {"cold_files_in_many_queues", cold_files_in_many_queues},
    {"a_cold_file_that_shrinks", a_cold_file_that_shrinks},
    {NULL, NULL},
};
