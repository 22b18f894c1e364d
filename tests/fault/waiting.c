/* SPDX-License-Identifier: MIT
 *
 * Faults: waiting for events.
 *
 * What each epoll watches is remembered, for two reasons. An edge is told once, so after an EAGAIN that was none, or a transfer
 * that was cut short, the descriptor is registered anew, which has the kernel look at it again. And an event that there is not
 * has to be one of somebody's.
 */
#include "calls.h"
#include "fault.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

enum { MOST = 20000, TOLD = 64 }; /* descriptors */

struct watched {
    int epoll; /* 0 = it is not */
    bool spared;
    bool told; /* by wake_writers(), since the last fault_tell_rings() */
    struct epoll_event event;
};

static struct watched table[MOST];
static int highest;
static int told[TOLD], told_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A ring has polled the socket, and is told by it when it becomes writable; to have it told without that, an option is set to
 * what it is: tcp(7), TCP_NOTSENT_LOWAT; of a Unix socket SO_SNDBUF, which the kernel doubles. Before, poll(2) notes that
 * somebody waits, as the call would have. */
static void wake_writers(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    int value = 0;
    socklen_t len = sizeof value;
    if (poll(&poller, 1, 0) != 1)
        return;
    if (getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len) == 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, len);
    } else if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len) == 0) {
        value /= 2;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, len);
    }
}

/* The lock is held all along, so that it is not another's descriptor by then. */
void fault_tell_again(int fd)
{
    (void)pthread_mutex_lock(&lock);
    struct watched *watched = &table[fd];
    if (watched->epoll > 0)
        (void)epoll_ctl(watched->epoll, EPOLL_CTL_MOD, fd, &watched->event);
    else
        wake_writers(fd);
    if (watched->epoll <= 0 && !watched->told && told_count < TOLD) {
        watched->told = true;
        told[told_count++] = fd;
    }
    (void)pthread_mutex_unlock(&lock);
}

/* Of a hundred such edges one or two do not come to anything (Linux 6.18), while acknowledgements bring theirs. So each is told
 * once more before the ring is entered. */
void fault_tell_rings(void)
{
    (void)pthread_mutex_lock(&lock);
    while (told_count > 0) {
        int fd = told[--told_count];
        if (table[fd].told)
            wake_writers(fd);
        table[fd].told = false;
    }
    (void)pthread_mutex_unlock(&lock);
}

bool fault_is_watched(int fd)
{
    (void)pthread_mutex_lock(&lock);
    bool is = table[fd].epoll > 0;
    (void)pthread_mutex_unlock(&lock);
    return is;
}

void fault_spare(int fd)
{
    (void)pthread_mutex_lock(&lock);
    table[fd].spared = true;
    (void)pthread_mutex_unlock(&lock);
}

struct fault_blow fault_ask_for(enum fault_call call, int fd)
{
    (void)pthread_mutex_lock(&lock);
    bool spared = fd >= 0 && table[fd].spared;
    (void)pthread_mutex_unlock(&lock);
    struct fault_blow none = {0};
    return spared ? none : fault_ask(call);
}

void fault_forget(int fd)
{
    fault_ring_closed(fd);
    if (fd < 0 || fd >= MOST)
        return;
    (void)pthread_mutex_lock(&lock);
    table[fd] = (struct watched){0};
    (void)pthread_mutex_unlock(&lock);
}

int fault_epoll_create1(int flags)
{
    return fault_refuses(FAULT_EPOLL_CREATE1) ? -1 : epoll_create1(flags);
}

int fault_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    if (fault_refuses(FAULT_EPOLL_CTL))
        return -1;
    (void)pthread_mutex_lock(&lock);
    int result = epoll_ctl(epoll, op, fd, event);
    if (result == 0 && fd < MOST) {
        table[fd].epoll = op == EPOLL_CTL_DEL ? 0 : epoll;
        table[fd].event = *event;
        highest = fd > highest ? fd : highest;
    }
    (void)pthread_mutex_unlock(&lock);
    return result;
}

int fault_eventfd(unsigned value, int flags)
{
    return fault_refuses(FAULT_EVENTFD) ? -1 : eventfd(value, flags);
}

/* Only one that is connected: one that is about to be would be taken to be there. */
static bool may_be_writable(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

static bool is_among(const struct epoll_event *events, int n, const void *data)
{
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr == data)
            return true;
    return false;
}

/* An event that there is not, for the next of those that this epoll watches. */
static int add_event(int epoll, struct epoll_event *events, int n)
{
    static int turn;
    (void)pthread_mutex_lock(&lock);
    for (int tried = 0; tried <= highest; tried++) {
        turn = turn >= highest ? 0 : turn + 1;
        const struct watched *watched = &table[turn];
        if (watched->epoll != epoll || watched->event.data.ptr == NULL || is_among(events, n, watched->event.data.ptr))
            continue;
        events[n] = watched->event;
        events[n].events = may_be_writable(turn) ? EPOLLIN | EPOLLOUT : EPOLLIN;
        n++;
        break;
    }
    (void)pthread_mutex_unlock(&lock);
    return n;
}

/* The wait itself: `timeout` NULL = for ever. */
static int wait_for(int epoll, struct epoll_event *events, int cap, const struct timespec *timeout)
{
    static const struct timespec none;
    struct fault_blow blow = fault_ask(FAULT_EPOLL_WAIT);
    if (blow.error != 0) {
        errno = blow.error;
        return -1;
    }
    if (blow.early || blow.spurious)
        timeout = &none;
    int n = epoll_pwait2(epoll, events, blow.early ? 1 : cap, timeout, NULL);
    return blow.spurious && n >= 0 && n < cap ? add_event(epoll, events, n) : n;
}

int fault_epoll_pwait2(int epoll, struct epoll_event *events, int cap, const struct timespec *timeout,
                       const sigset_t *mask)
{
    (void)mask; /* there is none */
    return wait_for(epoll, events, cap, timeout);
}

int fault_epoll_wait(int epoll, struct epoll_event *events, int cap, int timeout_ms)
{
    const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return wait_for(epoll, events, cap, timeout_ms < 0 ? NULL : &timeout);
}
