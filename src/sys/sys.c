/* SPDX-License-Identifier: MIT
 *
 * sys: the system calls, with EINTR taken care of and errors as -errno.
 */
#include "sys/sys.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls until it is not interrupted, and gives the result or -errno. */
#define RETRY(call)                                                                                                    \
    __extension__({                                                                                                    \
        __typeof__(call) result_;                                                                                      \
        do                                                                                                             \
            result_ = (call);                                                                                          \
        while (result_ < 0 && errno == EINTR);                                                                         \
        result_ < 0 ? (__typeof__(call))(-errno) : result_;                                                            \
    })

ssize_t fy_sys_recv(int fd, void *buf, size_t cap)
{
    return RETRY(recv(fd, buf, cap, MSG_DONTWAIT));
}

ssize_t fy_sys_send(int fd, const struct iovec *iov, int count, bool more)
{
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0);
    if (count == 1)
        return RETRY(send(fd, iov->iov_base, iov->iov_len, flags)); /* which spares the kernel two copies */
    struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    return RETRY(sendmsg(fd, &message, flags));
}

/* sendfile(2) and splice(2) have no MSG_NOSIGNAL, so the thread that calls them must hold SIGPIPE back. The library's
 * threads do so for good (fy_sys_hold_pipe); a foreign thread that embeds a loop does it here, call by call. */
static _Thread_local bool pipe_held;

#define HOLDING_PIPE(call)                                                                                             \
    __extension__({                                                                                                    \
        sigset_t before_;                                                                                              \
        bool held_ = pipe_held;                                                                                        \
        if (!held_)                                                                                                    \
            fy_sys_hold_pipe(&before_);                                                                                \
        ssize_t sent_ = RETRY(call);                                                                                   \
        if (!held_)                                                                                                    \
            fy_sys_release_pipe(&before_);                                                                             \
        sent_;                                                                                                         \
    })

ssize_t fy_sys_sendfile(int fd, int file, uint64_t offset, size_t len)
{
    off_t at = (off_t)offset;
    return HOLDING_PIPE(sendfile(fd, file, &at, len));
}

int fy_sys_pipe(int ends[2], int bytes)
{
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    fcntl(ends[1], F_SETPIPE_SZ, bytes);
    return 0;
}

ssize_t fy_sys_splice_in(int fd, int pipe, size_t len)
{
    return RETRY(splice(fd, NULL, pipe, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
}

ssize_t fy_sys_splice_out(int pipe, int fd, size_t len)
{
    return HOLDING_PIPE(splice(pipe, NULL, fd, NULL, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
}

void fy_sys_hold_pipe(sigset_t *before)
{
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, before);
    pipe_held = true;
}

void fy_sys_release_pipe(const sigset_t *before)
{
    sigset_t pipe_only, waiting;
    const struct timespec now = {0};
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (!sigismember(before, SIGPIPE) && sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE))
        sigtimedwait(&pipe_only, NULL, &now);
    pthread_sigmask(SIG_SETMASK, before, NULL);
    pipe_held = false;
}

int fy_sys_socket(int family)
{
    return RETRY(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int fy_sys_socket_pair(int ends[2])
{
    return RETRY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
}

int fy_sys_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return RETRY(bind(fd, address, len));
}

int fy_sys_listen(int fd, int backlog)
{
    return RETRY(listen(fd, backlog));
}

bool fy_sys_accept_passes(int error)
{
    switch (error) {
    case -ECONNABORTED:
    case -EPROTO:
    case -ENETDOWN:
    case -ENOPROTOOPT:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
    case -EOPNOTSUPP:
        return true;
    default:
        return false;
    }
}

int fy_sys_accept(int fd)
{
    for (;;) {
        int conn = RETRY(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fy_sys_accept_passes(conn))
            return conn;
    }
}

/* An interrupted connect(2) goes on by itself and must not be called again: EINPROGRESS says the same. */
int fy_sys_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (connect(fd, address, len) == 0)
        return 0;
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int fy_sys_shutdown_write(int fd)
{
    return RETRY(shutdown(fd, SHUT_WR));
}

int fy_sys_reset_on_close(int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    return fy_sys_set(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int fy_sys_cork(int fd, bool on)
{
    const int value = on;
    return fy_sys_set(fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
}

int fy_sys_set(int fd, int level, int option, const void *value, socklen_t len)
{
    return RETRY(setsockopt(fd, level, option, value, len));
}

int fy_sys_take_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    int failed = RETRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
    return failed < 0 ? failed : -error;
}

int fy_sys_unacked(int fd)
{
    int bytes = 0;
    int failed = RETRY(ioctl(fd, SIOCOUTQ, &bytes));
    return failed < 0 ? failed : bytes;
}

int fy_sys_local(int fd, struct sockaddr_storage *address, socklen_t *len)
{
    *len = sizeof *address;
    return RETRY(getsockname(fd, (struct sockaddr *)address, len));
}

int fy_sys_peer(int fd, struct sockaddr_storage *address, socklen_t *len)
{
    *len = sizeof *address;
    return RETRY(getpeername(fd, (struct sockaddr *)address, len));
}

/* close(2) frees the number even when it reports EINTR. */
void fy_sys_close(int fd)
{
    close(fd);
}

int fy_sys_stat_socket(const char *path, struct stat *st)
{
    int error = RETRY(lstat(path, st));
    return error == 0 && !S_ISSOCK(st->st_mode) ? -ENOTSOCK : error;
}

int fy_sys_unlink_socket(const char *path)
{
    struct stat st;
    int error = fy_sys_stat_socket(path, &st);
    return error < 0 ? error : RETRY(unlink(path));
}

int fy_sys_epoll_create(void)
{
    return RETRY(epoll_create1(EPOLL_CLOEXEC));
}

int fy_sys_epoll_ctl(int epoll, int op, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    return RETRY(epoll_ctl(epoll, op, fd, &event));
}

/* An interrupted wait is a turn without events: a signal handler may have asked for something. */
static int events_or_error(int n)
{
    return n >= 0 ? n : errno == EINTR ? 0 : -errno;
}

/* epoll_pwait2(2), Linux 5.11, waits by the nanosecond. -ENOSYS: there is none; a container's filter of calls that is older
 * than it says EPERM. */
static int wait_precisely(int epoll, struct epoll_event *events, int cap, int64_t timeout_ns)
{
    static _Atomic bool missing;
    if (missing)
        return -ENOSYS;
    const struct timespec timeout = {timeout_ns / (int64_t)FY_SECOND, timeout_ns % (int64_t)FY_SECOND};
    int n = events_or_error(epoll_pwait2(epoll, events, cap, &timeout, NULL));
    if (n != -ENOSYS && n != -EPERM)
        return n;
    missing = true;
    return -ENOSYS;
}

/* By the millisecond the time is rounded up, so that no timer is early. */
int fy_sys_epoll_wait(int epoll, struct epoll_event *events, int cap, int64_t timeout_ns)
{
    int n = timeout_ns > 0 ? wait_precisely(epoll, events, cap, timeout_ns) : -ENOSYS;
    if (n != -ENOSYS)
        return n;
    int64_t ms = timeout_ns <= 0 ? timeout_ns : (timeout_ns + (int64_t)FY_MS - 1) / (int64_t)FY_MS;
    return events_or_error(epoll_wait(epoll, events, cap, ms > INT32_MAX ? INT32_MAX : (int)ms));
}

int fy_sys_eventfd(void)
{
    return RETRY(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

void fy_sys_ring(int eventfd)
{
    const uint64_t one = 1;
    int saved = errno; /* a signal handler may be the caller */
    ssize_t written = RETRY(write(eventfd, &one, sizeof one));
    (void)written; /* EAGAIN: 2^64 - 2 rings unread; the loop has long been woken */
    errno = saved;
}

int fy_sys_open(const char *path)
{
    return RETRY(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)); /* O_NONBLOCK: a FIFO must not hang us */
}

int fy_sys_readable(int fd)
{
    int flags = RETRY(fcntl(fd, F_GETFL));
    if (flags < 0)
        return flags;
    return (flags & O_ACCMODE) == O_WRONLY ? -EBADF : 0;
}

int fy_sys_stat(int fd, struct stat *st)
{
    return RETRY(fstat(fd, st));
}

ssize_t fy_sys_pread(int fd, void *buf, size_t len, uint64_t offset)
{
    return RETRY(pread(fd, buf, len, (off_t)offset));
}

int fy_sys_readahead(int fd, uint64_t offset, size_t len)
{
    int error = posix_fadvise(fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
    return -error;
}

/* cachestat(2), Linux 6.5, counts the pages of a range; before it, preadv2(2) with RWF_NOWAIT tells of the first byte.
 * Some file systems know neither (tmpfs the second): what is there is in memory then, or cannot be told. */
bool fy_sys_in_memory(int fd, uint64_t offset, size_t len)
{
    enum { CACHESTAT = 451 };
    static _Atomic bool missing;
    const uint64_t range[2] = {offset, len};
    uint64_t pages[5] = {0}; /* cached, dirty, written back, evicted, recently evicted */
    const uint64_t page = fy_sys_page();
    if (!missing) {
        if (syscall(CACHESTAT, fd, range, pages, 0) == 0)
            return pages[0] >= (offset + len - 1) / page - offset / page + 1;
        missing = errno == ENOSYS;
    }
    char byte;
    const struct iovec one = {&byte, 1};
    return !(preadv2(fd, &one, 1, (off_t)offset, RWF_NOWAIT) < 0 && errno == EAGAIN);
}

void fy_sys_wait_while(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void fy_sys_wake_one(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int fy_sys_resolve(const char *host, const char *port, bool passive, struct addrinfo **list)
{
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : AI_ADDRCONFIG),
    };
    switch (getaddrinfo(host, port, &hints, list)) {
    case 0:
        return 0;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_SYSTEM:
        return -errno;
    default:
        return -ENOENT;
    }
}

/* A fault is its own thread's: where it is blocked the process ends, and no handler is asked; pthread_sigmask(3). */
static void block_signals(sigset_t *before)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t others;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&others, faults[i]);
    pthread_sigmask(SIG_SETMASK, &others, before);
}

int fy_sys_thread(void *(*run)(void *), void *arg, unsigned long *id)
{
    sigset_t before;
    pthread_t thread;
    block_signals(&before);
    int error = pthread_create(&thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        *id = (unsigned long)thread;
    return -error;
}

void fy_sys_complain(const char *text, size_t len)
{
    ssize_t written = RETRY(write(STDERR_FILENO, text, len));
    (void)written;
}

int fy_sys_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    return RETRY(sigaction(signal, action, old));
}

size_t fy_sys_page(void)
{
    return (size_t)getpagesize();
}

void *fy_sys_map_stacks(size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1,
                      0);
    if (base == MAP_FAILED)
        return NULL;
    madvise(base, bytes,
            MADV_NOHUGEPAGE); /* one touched page must not become 2 MiB; an older kernel ignores MAP_STACK */
    return base;
}

void fy_sys_unmap(void *base, size_t bytes)
{
    munmap(base, bytes);
}

/* MADV_GUARD_INSTALL (Linux 6.13) costs no map entry of its own, mprotect(2) one more a guard. */
int fy_sys_guard(void *page, size_t bytes)
{
    enum { GUARD_INSTALL = 102 };
    if (RETRY(madvise(page, bytes, GUARD_INSTALL)) == 0)
        return 0;
    return RETRY(mprotect(page, bytes, PROT_NONE));
}

void fy_sys_discard(void *base, size_t bytes)
{
    madvise(base, bytes, MADV_DONTNEED);
}

size_t fy_sys_untouched(void *base, size_t bytes)
{
    enum { AT_ONCE = 256 };
    unsigned char in_memory[AT_ONCE];
    const size_t page = fy_sys_page();
    for (size_t at = 0; at < bytes; at += AT_ONCE * page) {
        size_t part = bytes - at < AT_ONCE * page ? bytes - at : AT_ONCE * page;
        if (mincore((char *)base + at, part, in_memory) != 0)
            return at;
        for (size_t i = 0; i < part / page; i++)
            if (in_memory[i] & 1)
                return at + i * page;
    }
    return bytes;
}

void fy_sys_alarm_stack(const stack_t *stack, stack_t *before)
{
    sigaltstack(stack, before);
}
