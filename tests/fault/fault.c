/* SPDX-License-Identifier: MIT
 *
 * Faults: the policy, and the counts.
 */
#include "fault.h"

#include <errno.h>

const char *const fault_names[FAULT_CALLS] = {
    [FAULT_ACCEPT4] = "accept4",
    [FAULT_BIND] = "bind",
    [FAULT_CALLOC] = "calloc",
    [FAULT_CLOSE] = "close",
    [FAULT_CONNECT] = "connect",
    [FAULT_EPOLL_CREATE1] = "epoll_create1",
    [FAULT_EPOLL_CTL] = "epoll_ctl",
    [FAULT_EPOLL_WAIT] = "epoll_wait",
    [FAULT_EVENTFD] = "eventfd",
    [FAULT_FCNTL] = "fcntl",
    [FAULT_FSTAT] = "fstat",
    [FAULT_GETADDRINFO] = "getaddrinfo",
    [FAULT_GETPEERNAME] = "getpeername",
    [FAULT_GETSOCKNAME] = "getsockname",
    [FAULT_GETSOCKOPT] = "getsockopt",
    [FAULT_IOCTL] = "ioctl",
    [FAULT_LISTEN] = "listen",
    [FAULT_LSTAT] = "lstat",
    [FAULT_MADVISE] = "madvise",
    [FAULT_MALLOC] = "malloc",
    [FAULT_MINCORE] = "mincore",
    [FAULT_MMAP] = "mmap",
    [FAULT_MPROTECT] = "mprotect",
    [FAULT_OPEN] = "open",
    [FAULT_PIPE2] = "pipe2",
    [FAULT_POSIX_FADVISE] = "posix_fadvise",
    [FAULT_PREAD] = "pread",
    [FAULT_PREADV2] = "preadv2",
    [FAULT_PTHREAD_CREATE] = "pthread_create",
    [FAULT_REALLOC] = "realloc",
    [FAULT_RECV] = "recv",
    [FAULT_SEND] = "send",
    [FAULT_SENDFILE] = "sendfile",
    [FAULT_SENDMSG] = "sendmsg",
    [FAULT_SETSOCKOPT] = "setsockopt",
    [FAULT_SHUTDOWN] = "shutdown",
    [FAULT_SOCKET] = "socket",
    [FAULT_SOCKETPAIR] = "socketpair",
    [FAULT_SPLICE] = "splice",
    [FAULT_UNLINK] = "unlink",
    [FAULT_WRITE] = "write",
    [FAULT_CACHESTAT] = "cachestat",
    [FAULT_FUTEX_WAIT] = "futex",
    [FAULT_RING_SETUP] = "io_uring_setup",
    [FAULT_RING_REGISTER] = "io_uring_register",
    [FAULT_RING_ENTER] = "io_uring_enter",
    [FAULT_RING_ACCEPT] = "ring_accept",
    [FAULT_RING_POLL] = "ring_poll",
    [FAULT_RING_RECEIVE] = "ring_receive",
    [FAULT_RING_SEND] = "ring_send",
};

static _Atomic(fault_policy *) policy;
static atomic_uint_fast64_t counts[FAULT_CALLS], struck;

void fault_use(fault_policy *next)
{
    atomic_store(&policy, NULL);
    for (int call = 0; call < FAULT_CALLS; call++)
        atomic_store(&counts[call], 0);
    atomic_store(&struck, 0);
    atomic_store(&policy, next);
}

void fault_end(void)
{
    atomic_store(&policy, NULL);
}

uint64_t fault_count(enum fault_call call)
{
    return atomic_load(&counts[call]);
}

uint64_t fault_struck(void)
{
    return atomic_load(&struck);
}

struct fault_blow fault_ask(enum fault_call call)
{
    uint64_t n = atomic_fetch_add_explicit(&counts[call], 1, memory_order_relaxed) + 1;
    fault_policy *ask = atomic_load_explicit(&policy, memory_order_acquire);
    struct fault_blow blow = {0};
    if (ask != NULL)
        blow = ask(call, n);
    if (blow.error != 0 || blow.most > 0 || blow.early || blow.spurious)
        atomic_fetch_add_explicit(&struck, 1, memory_order_relaxed);
    return blow;
}

bool fault_refuses(enum fault_call call)
{
    struct fault_blow blow = fault_ask(call);
    if (blow.error != 0)
        errno = blow.error;
    return blow.error != 0;
}
