/* SPDX-License-Identifier: MIT
 *
 * The kernel of scenes. All its calls are steps about one object, since it has locks of its own that order them.
 */
#include "kernel.h"

#include "explore.h"
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <time.h>

enum { BELL = 3, SOCKET = 4, FILE_FD = 5, FILE_SIZE = 1 << 20 };

struct kernel kernel;

static struct {
    const atomic_uint *word;
    bool woken;
} sleepers[THREADS];

static struct fy_poll the_poll;

void kernel_reset(size_t room, uint64_t tick)
{
    kernel = (struct kernel){.room = room, .tick = tick};
    memset(sleepers, 0, sizeof sleepers);
}

static void call(void)
{
    explore_step(&kernel, true);
    if (!explore_running())
        return;
    atomics_acquire(&kernel);
    atomics_release(&kernel);
}

/* Bytes. */

static size_t take(const char *data, size_t len)
{
    size_t n = kernel.room - kernel.inflight < len ? kernel.room - kernel.inflight : len;
    if (n < len)
        kernel.missed = true;
    if (n == 0)
        return 0;
    struct kernel_run *last = kernel.count ? &kernel.runs[kernel.count - 1] : NULL;
    if (last && last->value == *data) {
        last->len += n;
    } else {
        if (kernel.count == KERNEL_RUNS)
            explore_fail("the messages came in too many pieces");
        kernel.runs[kernel.count++] = (struct kernel_run){*data, n};
    }
    kernel.inflight += n;
    return n;
}

unsigned kernel_came(char value, size_t len)
{
    unsigned runs = 0;
    size_t bytes = 0;
    for (unsigned i = 0; i < kernel.count; i++)
        if (kernel.runs[i].value == value) {
            runs++;
            bytes += kernel.runs[i].len;
        }
    if (runs > 1 || bytes % len)
        explore_fail("'%c' came in %u pieces, of %zu bytes together", value, runs, bytes);
    return (unsigned)(bytes / len);
}

static void enter(void)
{
    call();
    if (kernel.closed)
        explore_fail("a call with a descriptor that was closed");
}

ssize_t fy_sys_send(int fd, const struct iovec *iov, int count, bool more)
{
    size_t all = 0;
    (void)fd;
    (void)more;
    if (++kernel.writers > 1)
        explore_fail("two writers");
    enter();
    for (int i = 0; i < count; i++) {
        size_t n = take(iov[i].iov_base, iov[i].iov_len);
        all += n;
        if (n < iov[i].iov_len)
            break;
    }
    kernel.writers--;
    return all ? (ssize_t)all : -EAGAIN;
}

ssize_t fy_sys_sendfile(int fd, int file, uint64_t offset, size_t len)
{
    static const char value = 'F';
    (void)fd;
    (void)file;
    (void)offset;
    if (++kernel.writers > 1)
        explore_fail("two writers");
    enter();
    size_t n = take(&value, len);
    kernel.writers--;
    return n ? (ssize_t)n : -EAGAIN;
}

int fy_sys_cork(int fd, bool on)
{
    (void)fd;
    enter();
    kernel.corked = on;
    return 0;
}

int fy_sys_shutdown_write(int fd)
{
    (void)fd;
    enter();
    kernel.finished = true;
    return 0;
}

int fy_sys_reset_on_close(int fd)
{
    (void)fd;
    return 0;
}

int fy_sys_unacked(int fd)
{
    (void)fd;
    return 0;
}

void fy_sys_close(int fd)
{
    if (fd != SOCKET)
        return;
    enter();
    kernel.closed = true;
    kernel.edge = false;
}

static bool has_inflight(const void *object, unsigned thread)
{
    (void)object;
    (void)thread;
    return kernel.inflight > 0;
}

void kernel_peer(void)
{
    for (;;) {
        explore_await(&kernel, has_inflight);
        kernel.inflight = 0;
        kernel.edge = kernel.edge || (kernel.missed && !kernel.closed);
        kernel.missed = false;
    }
}

/* Files: they are warm. */

int fy_sys_readable(int fd)
{
    (void)fd;
    return 0;
}

int fy_sys_stat(int fd, struct stat *st)
{
    (void)fd;
    *st = (struct stat){.st_mode = S_IFREG, .st_size = FILE_SIZE};
    return 0;
}

bool fy_sys_in_memory(int fd, uint64_t offset, size_t len)
{
    (void)fd;
    (void)offset;
    (void)len;
    return true;
}

/* Waking. */

int fy_sys_eventfd(void)
{
    return BELL;
}

void fy_sys_ring(int eventfd)
{
    (void)eventfd;
    call();
    kernel.bell = true;
}

static bool is_woken(const void *word, unsigned thread)
{
    (void)word;
    return sleepers[thread].woken;
}

void fy_sys_wait_while(atomic_uint *word, unsigned value)
{
    unsigned self = explore_self();
    explore_step(word, true);
    if (*(volatile unsigned *)(void *)word != value)
        return;
    if (kernel.early > 0 && explore_choose(2)) {
        kernel.early--;
        return;
    }
    sleepers[self].word = word;
    sleepers[self].woken = false;
    explore_await(word, is_woken);
}

void fy_sys_wake_one(atomic_uint *word)
{
    unsigned waiting[THREADS], n = 0;
    explore_step(word, true);
    for (unsigned i = 0; i < THREADS; i++)
        if (sleepers[i].word == word && !sleepers[i].woken)
            waiting[n++] = i;
    if (n == 0)
        return;
    unsigned woken = waiting[explore_choose(n)];
    sleepers[woken].woken = true;
    sleepers[woken].word = NULL;
}

/* In place of clock_gettime(2). */
int kernel_clock(clockid_t clock, struct timespec *t)
{
    (void)clock;
    kernel.now += kernel.tick;
    t->tv_sec = (time_t)(kernel.now / 1000000000);
    t->tv_nsec = (long)(kernel.now % 1000000000);
    return 0;
}

/* The backend. */

static int open_poll(struct fy_poll **poll, int bell)
{
    (void)bell;
    the_poll.backend = &kernel_backend;
    *poll = &the_poll;
    return 0;
}

static void close_poll(struct fy_poll *poll)
{
    (void)poll;
}

static int add(struct fy_poll *poll, struct fy_source *source)
{
    (void)poll;
    source->live = true;
    if (source->fd == SOCKET)
        kernel.socket = source;
    return 0;
}

static void remove_source(struct fy_poll *poll, struct fy_source *source)
{
    (void)poll;
    source->live = false;
    if (kernel.socket == source)
        kernel.socket = NULL;
}

static void request(struct fy_poll *poll, struct fy_source *source, unsigned wants)
{
    (void)poll;
    source->wants = (unsigned char)wants;
}

static bool busy(const struct fy_poll *poll)
{
    (void)poll;
    return false;
}

static bool has_news(const void *object, unsigned thread)
{
    (void)object;
    (void)thread;
    return kernel.bell || kernel.edge;
}

static int wait_for_news(struct fy_poll *poll, int64_t timeout_ns)
{
    (void)poll;
    if (timeout_ns == 0)
        explore_step(&kernel, true);
    else
        explore_await(&kernel, has_news);
    if (explore_running()) {
        atomics_acquire(&kernel);
        atomics_release(&kernel);
    }
    kernel.bell = false;
    if (!kernel.edge)
        return 0;
    kernel.told = kernel.inflight < kernel.room; /* else it came when there was room, which is gone again */
    kernel.missed = kernel.missed || !kernel.told;
    kernel.edge = false;
    return 0;
}

static unsigned reap(struct fy_poll *poll)
{
    (void)poll;
    if (!kernel.told)
        return 0;
    kernel.told = false;
    kernel.socket->done(kernel.socket, &(struct fy_completion){FY_WRITABLE, 0, NULL});
    return 1;
}

const struct fy_backend kernel_backend = {
    .name = "scene",
    .open = open_poll,
    .close = close_poll,
    .add = add,
    .remove = remove_source,
    .request = request,
    .busy = busy,
    .wait = wait_for_news,
    .reap = reap,
};
