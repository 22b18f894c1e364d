/* SPDX-License-Identifier: MIT
 *
 * Faults: the library's calls of libc and the kernel, on their way through a policy that may have them fail.
 *
 * tests/fault/CMakeLists.txt makes a copy of the static library in which each call that calls.syms names goes to a function of
 * this folder (recv -> fault_recv). Programs that link the copy are otherwise as they are; the tests' own calls, and what is
 * released, know nothing of it.
 */
#ifndef FERRY_TEST_FAULT_H
#define FERRY_TEST_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may fail. The last ones are io_uring's operations, which fail in the kernel. */
enum fault_call {
    FAULT_ACCEPT4,
    FAULT_BIND,
    FAULT_CALLOC,
    FAULT_CLOSE,
    FAULT_CONNECT,
    FAULT_EPOLL_CREATE1,
    FAULT_EPOLL_CTL,
    FAULT_EPOLL_WAIT,
    FAULT_EVENTFD,
    FAULT_FCNTL,
    FAULT_FSTAT,
    FAULT_GETADDRINFO,
    FAULT_GETPEERNAME,
    FAULT_GETSOCKNAME,
    FAULT_GETSOCKOPT,
    FAULT_IOCTL,
    FAULT_LISTEN,
    FAULT_LSTAT,
    FAULT_MADVISE,
    FAULT_MALLOC,
    FAULT_MINCORE,
    FAULT_MMAP,
    FAULT_MPROTECT,
    FAULT_OPEN,
    FAULT_PIPE2,
    FAULT_POSIX_FADVISE,
    FAULT_PREAD,
    FAULT_PREADV2,
    FAULT_PTHREAD_CREATE,
    FAULT_REALLOC,
    FAULT_RECV,
    FAULT_SEND,
    FAULT_SENDFILE,
    FAULT_SENDMSG,
    FAULT_SETSOCKOPT,
    FAULT_SHUTDOWN,
    FAULT_SOCKET,
    FAULT_SOCKETPAIR,
    FAULT_SPLICE,
    FAULT_UNLINK,
    FAULT_WRITE,
    FAULT_CACHESTAT,
    FAULT_FUTEX_WAIT,
    FAULT_RING_SETUP,
    FAULT_RING_REGISTER,
    FAULT_RING_ENTER,
    FAULT_RING_ACCEPT,
    FAULT_RING_POLL,
    FAULT_RING_RECEIVE,
    FAULT_RING_SEND,
    FAULT_CALLS
};

extern const char *const fault_names[FAULT_CALLS];

/* How a call is to go wrong: in one of these ways. */
struct fault_blow {
    int error;     /* errno; getaddrinfo: EAI_*; 0 = the call is made */
    size_t most;   /* bytes that it moves at most; 0 = as many as it was asked for */
    bool early;    /* a wait returns at once, or with the first event alone */
    bool spurious; /* a wait tells of an event that there is not */
};

/* Asked for each call, on any thread; `n` counts the calls of this kind from 1. */
typedef struct fault_blow fault_policy(enum fault_call call, uint64_t n);

/* It counts from 1 again. */
void fault_use(fault_policy *next);

/* No faults any more; the counts stay. */
void fault_end(void);

uint64_t fault_count(enum fault_call call); /* calls made since */
uint64_t fault_struck(void);                /* of all kinds, that went wrong since */

/* What the library holds at this moment, of all that it ever asked for. */
struct fault_held {
    long blocks;  /* of malloc() and its kin */
    long mapped;  /* bytes */
    long threads; /* begun and not ended */
};
struct fault_held fault_held(void);

/* For the calls themselves. */

/* What is to become of the next call of this kind. With a descriptor of a socket pair nothing happens to it: that is what the
 * library tries a backend out with, and bytes that are alone in such a socket are never cut short or put off. */
struct fault_blow fault_ask(enum fault_call call);
struct fault_blow fault_ask_for(enum fault_call call, int fd);
void fault_spare(int fd);

/* For those that only succeed or fail: true, and errno is set. */
bool fault_refuses(enum fault_call call);

/* A call with a descriptor of an epoll, or of a ring, was cut short, or never made: that there is more to come is told again,
 * since the edge that told of it is used up by now. */
void fault_tell_again(int fd);
void fault_tell_rings(void);   /* that once more to those whom a ring polls: one is about to be entered */
bool fault_is_watched(int fd); /* by an epoll */
void fault_forget(int fd);     /* it is about to be closed */

/* io_uring (rings.c). */
void fault_ring_opened(int fd, const void *params);
void fault_ring_mapped(int fd, void *base, int64_t what);
void fault_ring_closed(int fd);
long fault_ring_register(const long args[6]);
long fault_ring_enter(const long args[6]);

#endif
