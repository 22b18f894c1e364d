/* SPDX-License-Identifier: MIT
 *
 * A reset is told once (tcp(7), the pending error of a socket): to another thread's send, say; then receiving says 0, as it does at
 * an end. The linker (--wrap) puts the two calls of the library in our hands, so that the send that was told comes back late.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include "sys/sys.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

static struct {
    struct host host;
    struct count holding;  /* the loop is held... */
    sem_t release;         /* ...until then */
    struct count received; /* times that receiving said 0 */
    struct count ends;
    bool late;
} scene;

ssize_t __real_fy_sys_send(int fd, const struct iovec *iov, int count, bool more);
ssize_t __real_fy_sys_recv(int fd, void *buf, size_t cap);
ssize_t __wrap_fy_sys_send(int fd, const struct iovec *iov, int count, bool more);
ssize_t __wrap_fy_sys_recv(int fd, void *buf, size_t cap);

/* The loop receives, and does what follows from it, before the send comes back. */
ssize_t __wrap_fy_sys_send(int fd, const struct iovec *iov, int count, bool more)
{
    ssize_t n = __real_fy_sys_send(fd, iov, count, more);
    if (scene.late) {
        scene.late = false;
        assert_int_equal(n, -ECONNRESET);
        sem_post(&scene.release);
        count_wait(&scene.received, 1);
        host_settle(&scene.host);
    }
    return n;
}

ssize_t __wrap_fy_sys_recv(int fd, void *buf, size_t cap)
{
    ssize_t n = __real_fy_sys_recv(fd, buf, cap);
    if (n == 0)
        count_add(&scene.received, 1);
    return n;
}

static void hold(void *arg)
{
    (void)arg;
    count_add(&scene.holding, 1);
    sem_wait(&scene.release);
}

static void on_eof(ferry_conn *conn, void *arg)
{
    (void)arg;
    count_add(&scene.ends, 1);
    ferry_close(conn);
}

static void begin(int *fd)
{
    static const ferry_service service = {.on_eof = on_eof};
    assert_int_equal(setenv("FERRY_BACKEND", "epoll", 1), 0); /* a ring would have been told first */
    host_init(&scene.host, &service);
    host_run(&scene.host, "127.0.0.1:0", NULL);
    *fd = peer_connect(scene.host.address);
    watch_conn(&scene.host.watch, 0);
    host_settle(&scene.host);
    sem_init(&scene.release, 0, 0);
    ferry_post(ferry_pool_loop(scene.host.pool, 0), hold, NULL);
    count_wait(&scene.holding, 1);
}

static void to_another_threads_send(void)
{
    int fd;
    begin(&fd);
    peer_reset(fd);
    scene.late = true;
    ferry_send(watch_conn(&scene.host.watch, 0), "late", 4);
    assert_reason(watch_reason(&scene.host.watch, 0, NULL), -ECONNRESET);
    assert_int_equal(count_get(&scene.ends), 0);
    host_stop(&scene.host);
    sem_destroy(&scene.release);
}

const struct test_case test_cases[] = {
    {"to_another_threads_send", to_another_threads_send},
    {NULL, NULL},
};
