/* SPDX-License-Identifier: MIT
 *
 * sys: io_uring's system calls.
 */
#include "sys/ring.h"

#include "base/clock.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Only the loop's thread enters (Linux 6.0), and completions are worked out in its own time, when it asks for them (6.1):
 * so it is never interrupted, and there is no locking. A bad request must not hold back those behind it (5.18). */
static const unsigned FLAGS = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

/* Waiting with a timeout in the same call (5.11), no completion dropped when the queue is full (5.5), and no data that has
 * to outlive its submission (5.5). */
static const unsigned NEEDED = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;

struct opening {
    struct io_uring *ring;
    unsigned submissions, completions;
    int error;
};

static void *open_ring(void *arg)
{
    struct opening *o = arg;
    struct io_uring_params params = {.flags = FLAGS, .cq_entries = o->completions};
    o->error = io_uring_queue_init_params(o->submissions, o->ring, &params);
    if (o->error == 0 && (params.features & NEEDED) != NEEDED) {
        io_uring_queue_exit(o->ring);
        o->error = -ENOTSUP;
    }
    return NULL;
}

/* When a ring has been closed, the kernel disturbs each thread that opened or entered it once more: a system call with a
 * time limit, such as a receive with SO_RCVTIMEO, then says EINTR for no reason that its caller could know of (signal(7)). So it is not the
 * caller's thread that opens it. */
int fy_sys_ring_open(struct io_uring *ring, unsigned submissions, unsigned completions)
{
    struct opening o = {ring, submissions, completions, 0};
    unsigned long thread;
    int error = fy_sys_thread(open_ring, &o, &thread);
    if (error < 0)
        return error;
    pthread_join((pthread_t)thread, NULL);
    return o.error;
}

/* io_uring_enable_rings(3), which liburing 2.3 declares and forgets to export. */
int fy_sys_ring_start(struct io_uring *ring)
{
    return syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0 ? -errno : 0;
}

void fy_sys_ring_close(struct io_uring *ring)
{
    io_uring_queue_exit(ring);
}

static int enter(struct io_uring *ring, int64_t timeout_ns)
{
    struct io_uring_cqe *first;
    if (timeout_ns == 0)
        return io_uring_submit_and_get_events(ring);
    if (timeout_ns < 0)
        return io_uring_submit_and_wait(ring, 1);
    struct __kernel_timespec timeout = {timeout_ns / (int64_t)FY_SECOND, timeout_ns % (int64_t)FY_SECOND};
    return io_uring_submit_and_wait_timeout(ring, &first, 1, &timeout, NULL);
}

int fy_sys_ring_enter(struct io_uring *ring, int64_t timeout_ns)
{
    int result = enter(ring, timeout_ns);
    return result >= 0 || result == -EINTR || result == -ETIME ? 0 : result;
}

int fy_sys_ring_tell(struct io_uring *ring, int eventfd)
{
    return io_uring_register_eventfd(ring, eventfd);
}

int fy_sys_ring_buffers(struct io_uring *ring, struct io_uring_buf_ring *buffers, unsigned count, bool incremental)
{
    enum { INCREMENTAL = 2 }; /* IOU_PBUF_RING_INC */
    union {
        struct io_uring_buf_reg older;
        struct {
            uint64_t address;
            uint32_t count;
            uint16_t group, flags; /* of which older headers know nothing */
            uint64_t reserved[3];
        } now;
    } group = {.now = {.address = (uint64_t)(uintptr_t)buffers, .count = count, .flags = incremental ? INCREMENTAL : 0}};
    _Static_assert(sizeof group.now == sizeof group.older, "the kernel's struct");
    return io_uring_register_buf_ring(ring, &group.older, 0);
}

void *fy_sys_map_pages(size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}
