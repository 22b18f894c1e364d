/* SPDX-License-Identifier: MIT
 *
 * Faults: io_uring. What a ring submits is looked at on its way into the kernel. An operation that is to fail is made one that
 * does nothing and ends with that error (IORING_OP_NOP, Linux 6.10; before that it ends with EINVAL); one that is to be short
 * is given less. So the kernel's books stay right.
 */
#include "calls.h"
#include "fault.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RINGS = 256, PLACES = 16, INJECT_RESULT = 1 }; /* IORING_NOP_INJECT_RESULT, not yet in all headers */

struct ring {
    int fd; /* 0 = free */
    struct io_uring_params params;
    char *queues;
    struct io_uring_sqe *sqes;
};

static struct ring rings[RINGS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A thread may enter a ring by its place in a table of its own: io_uring_register(2), IORING_REGISTER_RING_FDS. */
static _Thread_local int places[PLACES];

/* A ring is not restricted here, or it would not do nothing. */
long fault_ring_register(const long args[6])
{
    if (fault_refuses(FAULT_RING_REGISTER))
        return -1;
    if (args[1] == IORING_REGISTER_RESTRICTIONS)
        return 0;
    long result = syscall(SYS_io_uring_register, args[0], args[1], args[2], args[3]);
    if (args[1] == IORING_REGISTER_RING_FDS && result == 1) {
        const struct io_uring_rsrc_update *place = (const struct io_uring_rsrc_update *)args[2];
        if (place->offset < PLACES)
            places[place->offset] = (int)place->data;
    }
    return result;
}

/* The lock is held. */
static struct ring *find(int fd)
{
    for (int i = 0; i < RINGS; i++)
        if (rings[i].fd == fd)
            return &rings[i];
    return NULL;
}

void fault_ring_opened(int fd, const void *params)
{
    (void)pthread_mutex_lock(&lock);
    struct ring *ring = find(0);
    if (ring != NULL) {
        *ring = (struct ring){.fd = fd};
        memcpy(&ring->params, params, sizeof ring->params);
    }
    (void)pthread_mutex_unlock(&lock);
}

void fault_ring_mapped(int fd, void *base, int64_t what)
{
    if (fd <= 0)
        return;
    (void)pthread_mutex_lock(&lock);
    struct ring *ring = find(fd);
    if (ring != NULL && what == IORING_OFF_SQES)
        ring->sqes = base;
    else if (ring != NULL && what == IORING_OFF_SQ_RING)
        ring->queues = base;
    (void)pthread_mutex_unlock(&lock);
}

void fault_ring_closed(int fd)
{
    (void)pthread_mutex_lock(&lock);
    struct ring *ring = fd > 0 ? find(fd) : NULL;
    if (ring != NULL)
        ring->fd = 0;
    (void)pthread_mutex_unlock(&lock);
}

static enum fault_call call_of(const struct io_uring_sqe *sqe)
{
    switch (sqe->opcode) {
    case IORING_OP_ACCEPT:
        return FAULT_RING_ACCEPT;
    case IORING_OP_POLL_ADD:
        return FAULT_RING_POLL;
    case IORING_OP_RECV:
        return FAULT_RING_RECEIVE;
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
        return FAULT_RING_SEND;
    default:
        return FAULT_CALLS;
    }
}

static void strike(struct io_uring_sqe *sqe)
{
    enum fault_call call = call_of(sqe);
    struct fault_blow blow = {0};
    if (call != FAULT_CALLS)
        blow = fault_ask_for(call, sqe->fd);
    if (blow.most > 0 && blow.most < sqe->len && call == FAULT_RING_SEND)
        sqe->len = (unsigned)blow.most;
    if (blow.error == 0)
        return;
    if (blow.error == EAGAIN && call == FAULT_RING_SEND)
        fault_tell_again(sqe->fd);
    *sqe = (struct io_uring_sqe){.opcode = IORING_OP_NOP,
                                 .fd = -1,
                                 .len = (unsigned)-blow.error,
                                 .rw_flags = INJECT_RESULT,
                                 .user_data = sqe->user_data};
}

/* The submissions that the kernel is about to take. */
static void strike_all(const struct ring *ring, unsigned count)
{
    const unsigned *head = (const unsigned *)(const void *)(ring->queues + ring->params.sq_off.head);
    unsigned first = __atomic_load_n(head, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < count; i++)
        strike(&ring->sqes[(first + i) & (ring->params.sq_entries - 1)]);
}

/* Interrupted: what is submitted is taken, and only if there was nothing is there something to say. Early: half of it is. */
long fault_ring_enter(const long args[6])
{
    struct fault_blow blow = fault_ask(FAULT_RING_ENTER);
    unsigned count = (unsigned)args[1], least = (unsigned)args[2], flags = (unsigned)args[3];
    bool interrupted = blow.error == EINTR;
    if (blow.error != 0 && !interrupted) {
        errno = blow.error;
        return -1;
    }
    if (blow.early && count > 1)
        count /= 2;
    if (interrupted || blow.early)
        least = 0;
    (void)pthread_mutex_lock(&lock);
    struct ring *ring = find((flags & IORING_ENTER_REGISTERED_RING) ? places[args[0] % PLACES] : (int)args[0]);
    struct ring copy = ring != NULL ? *ring : (struct ring){0};
    (void)pthread_mutex_unlock(&lock);
    if (copy.queues != NULL && copy.sqes != NULL)
        strike_all(&copy, count);
    fault_tell_rings();
    long result = syscall(SYS_io_uring_enter, args[0], count, least, flags, args[4], args[5]);
    if (interrupted && result == 0) {
        errno = EINTR;
        return -1;
    }
    return result;
}
