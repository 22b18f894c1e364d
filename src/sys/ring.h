/* SPDX-License-Identifier: MIT
 *
 * sys: a pair of io_uring's queues, and the system calls that go with them; io_uring(7), io_uring_setup(2),
 * io_uring_enter(2). A ring belongs to the thread that starts it. Each call returns 0 or more, or -errno.
 */
#ifndef FY_SYS_RING_H
#define FY_SYS_RING_H

#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct fy_ring {
    int fd;
    int entered;         /* what a call names it by: the descriptor, or its place among the thread's registered ones, */
    unsigned registered; /* and the flag that says so */
    unsigned waiting;    /* flags of an enter that may wait */
    unsigned tail;       /* of the submissions, up to where the kernel has not been told yet */
    unsigned *sq_head, *sq_tail, sq_mask;
    unsigned *cq_head, *cq_tail, cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    void *queues;
    size_t queues_bytes, sqes_bytes;
};

int fy_sys_ring_open(struct fy_ring *ring, unsigned submissions, unsigned completions);
int fy_sys_ring_start(struct fy_ring *ring);

/* Any thread; what is still under way is cancelled by the kernel, later. */
void fy_sys_ring_close(struct fy_ring *ring);

/* Submits what is in the ring, and waits for a completion, at most `timeout_ns`; -1 = for ever. An interrupted wait is
 * 0, and so is one that ended without any. -EBUSY: completions must be taken out first. */
int fy_sys_ring_enter(struct fy_ring *ring, int64_t timeout_ns);

/* Only submits. */
int fy_sys_ring_submit(struct fy_ring *ring);

/* This thread, the ring's, will enter it often, which costs the kernel less if it need not look the descriptor up; a
 * hint. The thread holds the ring until it says that it will do so no more. */
void fy_sys_ring_register(struct fy_ring *ring);
void fy_sys_ring_unregister(struct fy_ring *ring);

/* The tool that this process runs under, if it is one that knows nothing of rings: valgrind, see the next, or
 * ThreadSanitizer, to which bytes that are received then have not been sent before. Or NULL. */
const char *fy_sys_watched_by(void);

/* Whether nothing else of the process runs while it waits: valgrind 3.19 takes io_uring_enter(2) for a call that never
 * sleeps, and lets no other thread go on. */
bool fy_sys_ring_sleeps_alone(void);

/* The eventfd becomes readable when there is something to enter the ring for. */
int fy_sys_ring_tell(struct fy_ring *ring, int eventfd);

/* Makes these `count` (a power of two) places group 0 of the buffers that the kernel takes from when it receives.
 * `incremental`: each is filled piece by piece, Linux 6.12; -EINVAL where that is not known. */
int fy_sys_ring_buffers(struct fy_ring *ring, struct io_uring_buf_ring *buffers, unsigned count, bool incremental);

/* Pages of zeros, by mmap(2); NULL = none. */
void *fy_sys_map_pages(size_t bytes);

/* A new submission, all zero; NULL: the queue is full. */
static inline struct io_uring_sqe *fy_ring_entry(struct fy_ring *ring)
{
    if (ring->tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE) > ring->sq_mask)
        return NULL;
    struct io_uring_sqe *sqe = &ring->sqes[ring->tail++ & ring->sq_mask];
    memset(sqe, 0, sizeof *sqe);
    return sqe;
}

/* How many completions there are, and the i-th of them; and that the first has been taken out. */
static inline unsigned fy_ring_ready(const struct fy_ring *ring)
{
    return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) - *ring->cq_head;
}

static inline const struct io_uring_cqe *fy_ring_completion(const struct fy_ring *ring, unsigned i)
{
    return &ring->cqes[(*ring->cq_head + i) & ring->cq_mask];
}

static inline void fy_ring_taken(struct fy_ring *ring)
{
    __atomic_store_n(ring->cq_head, *ring->cq_head + 1, __ATOMIC_RELEASE);
}

#endif
