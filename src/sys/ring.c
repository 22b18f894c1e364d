/* SPDX-License-Identifier: MIT
 *
 * sys: io_uring's system calls. The C library has no wrappers for them; that they are few is the point of io_uring.
 */
#include "sys/ring.h"

#include "base/clock.h"
#include "base/tools.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Only the loop's thread enters (Linux 6.0), and completions are worked out in its own time, when it asks for them
 * (6.1): so it is never interrupted, and there is no locking. A bad request must not hold back those behind it (5.18).
 */
static const unsigned FLAGS = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;

/* Both queues in one mapping (5.4), waiting with a timeout in the same call (5.11), no completion dropped when the
 * queue is full (5.5), and no data that has to outlive its submission (5.5). */
static const unsigned NEEDED = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP |
                               IORING_FEAT_SUBMIT_STABLE;

/* A server that waits for its clients does not wait for a disk, and should not be shown as if it did (6.15); not yet in
 * all headers. */
enum { NO_IOWAIT = 1 << 7, NO_IOWAIT_KNOWN = 1 << 17 };

static int result_of(long result)
{
    return result < 0 ? -errno : (int)result;
}

static int configure(struct fy_ring *ring, unsigned what, const void *arg, unsigned count)
{
    return result_of(syscall(SYS_io_uring_register, ring->fd, what, arg, count));
}

static void *map(int fd, size_t bytes, off_t what)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
    return base == MAP_FAILED ? NULL : base;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Where everything lies in the mapping: io_uring_setup(2). The table of indirection is filled once, entry by entry. */
static void lay_out(struct fy_ring *ring, const struct io_uring_params *p)
{
    char *base = ring->queues;
    unsigned *array = (unsigned *)(void *)(base + p->sq_off.array);
    ring->sq_head = (unsigned *)(void *)(base + p->sq_off.head);
    ring->sq_tail = (unsigned *)(void *)(base + p->sq_off.tail);
    ring->sq_mask = p->sq_entries - 1;
    ring->cq_head = (unsigned *)(void *)(base + p->cq_off.head);
    ring->cq_tail = (unsigned *)(void *)(base + p->cq_off.tail);
    ring->cq_mask = p->cq_entries - 1;
    ring->cqes = (struct io_uring_cqe *)(void *)(base + p->cq_off.cqes);
    for (unsigned i = 0; i < p->sq_entries; i++)
        array[i] = i;
}

static int map_queues(struct fy_ring *ring, const struct io_uring_params *p)
{
    size_t sq_bytes = p->sq_off.array + p->sq_entries * sizeof(unsigned);
    size_t cq_bytes = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    if ((p->features & NEEDED) != NEEDED)
        return -ENOTSUP;
    ring->waiting = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | (p->features & NO_IOWAIT_KNOWN ? NO_IOWAIT : 0);
    ring->queues_bytes = larger(sq_bytes, cq_bytes);
    ring->sqes_bytes = p->sq_entries * sizeof(struct io_uring_sqe);
    ring->queues = map(ring->fd, ring->queues_bytes, IORING_OFF_SQ_RING);
    ring->sqes = map(ring->fd, ring->sqes_bytes, IORING_OFF_SQES);
    if (!ring->queues || !ring->sqes)
        return -ENOMEM;
    lay_out(ring, p);
    return 0;
}

/* From when it is started, a ring does what ferry asks of one and nothing else (5.10): who gets to write into it cannot open
 * files or connect by it, which a seccomp filter would not see. */
static int restrict_ring(struct fy_ring *ring)
{
    static const unsigned char operations[] = {IORING_OP_RECV, IORING_OP_ACCEPT,  IORING_OP_POLL_ADD,
                                               IORING_OP_SEND, IORING_OP_SEND_ZC, IORING_OP_ASYNC_CANCEL};
    static const unsigned char later[] = {IORING_REGISTER_EVENTFD, IORING_REGISTER_RING_FDS,
                                          IORING_UNREGISTER_RING_FDS};
    struct io_uring_restriction list[sizeof operations + sizeof later + 1];
    unsigned n = 0;
    memset(list, 0, sizeof list);
    for (unsigned i = 0; i < sizeof operations; i++, n++) {
        list[n].opcode = IORING_RESTRICTION_SQE_OP;
        list[n].sqe_op = operations[i];
    }
    for (unsigned i = 0; i < sizeof later; i++, n++) {
        list[n].opcode = IORING_RESTRICTION_REGISTER_OP;
        list[n].register_op = later[i];
    }
    list[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    list[n++].sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;
    return configure(ring, IORING_REGISTER_RESTRICTIONS, list, n);
}

static int open_ring(struct fy_ring *ring, unsigned submissions, unsigned completions)
{
    struct io_uring_params params = {.flags = FLAGS, .cq_entries = completions};
    memset(ring, 0, sizeof *ring);
    ring->fd = result_of(syscall(SYS_io_uring_setup, submissions, &params));
    if (ring->fd < 0)
        return ring->fd;
    ring->entered = ring->fd;
    int error = map_queues(ring, &params);
    if (error == 0)
        error = restrict_ring(ring);
    if (error < 0)
        fy_sys_ring_close(ring);
    return error;
}

struct opening {
    struct fy_ring *ring;
    unsigned submissions, completions;
    int error;
};

static void *run_opening(void *arg)
{
    struct opening *o = arg;
    o->error = open_ring(o->ring, o->submissions, o->completions);
    return NULL;
}

/* When a ring has been closed, the kernel disturbs each thread that opened or entered it once more: a system call with
 * a time limit, such as a receive with SO_RCVTIMEO, then says EINTR for no reason that its caller could know of;
 * signal(7). So it is not the caller's thread that opens it. */
int fy_sys_ring_open(struct fy_ring *ring, unsigned submissions, unsigned completions)
{
    struct opening o = {ring, submissions, completions, 0};
    unsigned long thread;
    int error = fy_sys_thread(run_opening, &o, &thread);
    if (error < 0)
        return error;
    pthread_join((pthread_t)thread, NULL);
    return o.error;
}

int fy_sys_ring_start(struct fy_ring *ring)
{
    return configure(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

void fy_sys_ring_close(struct fy_ring *ring)
{
    if (ring->sqes)
        munmap(ring->sqes, ring->sqes_bytes);
    if (ring->queues)
        munmap(ring->queues, ring->queues_bytes);
    close(ring->fd);
}

/* Shows the kernel what is in the ring; returns how much of it that has not taken yet. */
static unsigned show(struct fy_ring *ring)
{
    __atomic_store_n(ring->sq_tail, ring->tail, __ATOMIC_RELEASE);
    return ring->tail - __atomic_load_n(ring->sq_head, __ATOMIC_ACQUIRE);
}

int fy_sys_ring_submit(struct fy_ring *ring)
{
    return result_of(syscall(SYS_io_uring_enter, ring->entered, show(ring), 0, ring->registered, NULL, 0));
}

/* Linux 5.18; io_uring_register(2). */
void fy_sys_ring_register(struct fy_ring *ring)
{
    struct io_uring_rsrc_update place = {.offset = UINT32_MAX, .data = (unsigned)ring->fd}; /* any place */
    if (fy_sys_ring_sleeps_alone() || configure(ring, IORING_REGISTER_RING_FDS, &place, 1) != 1)
        return;
    ring->entered = (int)place.offset;
    ring->registered = IORING_ENTER_REGISTERED_RING;
}

void fy_sys_ring_unregister(struct fy_ring *ring)
{
    const struct io_uring_rsrc_update place = {.offset = (unsigned)ring->entered};
    if (ring->registered == 0)
        return;
    configure(ring, IORING_UNREGISTER_RING_FDS, &place, 1);
    ring->entered = ring->fd;
    ring->registered = 0;
}

int fy_sys_ring_enter(struct fy_ring *ring, int64_t timeout_ns)
{
    const struct __kernel_timespec timeout = {timeout_ns / (int64_t)FY_SECOND, timeout_ns % (int64_t)FY_SECOND};
    const struct io_uring_getevents_arg arg = {.ts = timeout_ns > 0 ? (uint64_t)(uintptr_t)&timeout : 0};
    int result = result_of(syscall(SYS_io_uring_enter, ring->entered, show(ring), timeout_ns == 0 ? 0 : 1,
                                   ring->waiting | ring->registered, &arg, sizeof arg));
    return result >= 0 || result == -EINTR || result == -ETIME ? 0 : result;
}

const char *fy_sys_watched_by(void)
{
#ifdef FY_TSAN
    return "ThreadSanitizer";
#else
    return fy_sys_ring_sleeps_alone() ? "valgrind" : NULL;
#endif
}

bool fy_sys_ring_sleeps_alone(void)
{
#ifdef FY_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

int fy_sys_ring_tell(struct fy_ring *ring, int eventfd)
{
    return configure(ring, IORING_REGISTER_EVENTFD, &eventfd, 1);
}

int fy_sys_ring_buffers(struct fy_ring *ring, struct io_uring_buf_ring *buffers, unsigned count, bool incremental)
{
    enum { INCREMENTAL = 2 }; /* IOU_PBUF_RING_INC; older headers know nothing of flags behind the group */
    const uint16_t flags = incremental ? INCREMENTAL : 0;
    struct io_uring_buf_reg group = {.ring_addr = (uint64_t)(uintptr_t)buffers, .ring_entries = count};
    memcpy((char *)&group + offsetof(struct io_uring_buf_reg, bgid) + sizeof group.bgid, &flags, sizeof flags);
    return configure(ring, IORING_REGISTER_PBUF_RING, &group, 1);
}

void *fy_sys_map_pages(size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}
