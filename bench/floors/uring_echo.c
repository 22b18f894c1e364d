/* SPDX-License-Identifier: MIT
 *
 * floors: echo by io_uring. One system call a turn: it submits the sends that the last turn gave rise to, and waits. What
 * comes is received into a few big buffers, which the kernel fills piece by piece (Linux 6.12), so that small messages lie
 * close together; and is sent from there.
 *
 * A buffer that is full goes back after the next submission, and nobody waits to hear that its last pieces have been sent:
 * a send that may not wait (MSG_DONTWAIT) is over once it is submitted.
 */
#include "floor.h"

#include "bench.h"

#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum {
    SUBMISSIONS = 1024, /* This and... */
    COMPLETIONS = 8192, /* ...this is locked memory, of which all rings of a user together may have little. */
    CONNECTIONS_MAX = 20000,
    BATCH = 256,
    BUFFERS = 4,
    BUFFER_SIZE = 1 << 20, /* a power of two: so are the messages, and none is cut in two */
};

/* What liburing 2.3 has no names for. */
enum { INCREMENTAL = 2, BUFFER_GOES_ON = 1 << 4 };

/* What a completion is of: the low bits of its user_data. The others are the connection, by its place among the ring's
 * registered files. */
enum kind { RECEIVED, ACCEPTED, SENT, CLOSED };

static struct io_uring ring;
static struct io_uring_buf_ring *offered;
static char *memory;
static size_t filled[BUFFERS];
static int full[BUFFERS], full_count;

static _Noreturn void die(const char *what, int error)
{
    errno = -error;
    bench_die(what);
}

static struct io_uring_sqe *entry(void)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static void tag(struct io_uring_sqe *sqe, int of, enum kind kind)
{
    io_uring_sqe_set_data64(sqe, (unsigned)of << 2 | kind);
}

static void accept_all(int listener)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    tag(sqe, listener, ACCEPTED);
}

static void receive_all(int conn)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_recv_multishot(sqe, conn, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
    tag(sqe, conn, RECEIVED);
}

static void send_back(int conn, const char *data, size_t len)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_send(sqe, conn, data, len, MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    tag(sqe, conn, SENT);
}

static void end(int conn)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_close_direct(sqe, (unsigned)conn);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    tag(sqe, conn, CLOSED);
}

static void offer(int buffer, int place)
{
    filled[buffer] = 0;
    io_uring_buf_ring_add(offered, memory + (size_t)buffer * BUFFER_SIZE, BUFFER_SIZE, (unsigned short)buffer,
                          BUFFERS - 1, place);
}

static void offer_the_full(void)
{
    for (int i = 0; i < full_count; i++)
        offer(full[i], i);
    io_uring_buf_ring_advance(offered, full_count);
    full_count = 0;
}

static void received(int conn, const struct io_uring_cqe *cqe)
{
    if (cqe->res > 0) {
        int buffer = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        send_back(conn, memory + (size_t)buffer * BUFFER_SIZE + filled[buffer], (size_t)cqe->res);
        filled[buffer] += (size_t)cqe->res;
        if (!(cqe->flags & BUFFER_GOES_ON))
            full[full_count++] = buffer;
    } else if (cqe->res != -ENOBUFS) {
        end(conn);
        return;
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        receive_all(conn);
}

static void accepted(int listener, const struct io_uring_cqe *cqe)
{
    if (cqe->res < 0)
        die("floor: accept", cqe->res);
    receive_all(cqe->res);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        accept_all(listener);
}

static void take(const struct io_uring_cqe *cqe)
{
    unsigned long long data = io_uring_cqe_get_data64(cqe);
    int of = (int)(data >> 2);
    switch ((enum kind)(data & 3)) {
    case RECEIVED:
        received(of, cqe);
        return;
    case ACCEPTED:
        accepted(of, cqe);
        return;
    case SENT:
    case CLOSED:
        if (cqe->res != -ECONNRESET && cqe->res != -EPIPE)
            die("floor: not all could be sent at once", cqe->res);
    }
}

static void set_up_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                              IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETIONS};
    struct rlimit files;
    int error = io_uring_queue_init_params(SUBMISSIONS, &ring, &params);
    if (error < 0)
        die("floor: io_uring", error);
    getrlimit(RLIMIT_NOFILE, &files);
    bool few = files.rlim_cur < CONNECTIONS_MAX; /* then the kernel wants no more */
    error = io_uring_register_files_sparse(&ring, few ? (unsigned)files.rlim_cur : CONNECTIONS_MAX);
    if (error == 0)
        error = io_uring_register_ring_fd(&ring);
    if (error < 0)
        die("floor: io_uring's registered files", error);
}

static void *pages(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (at == MAP_FAILED)
        bench_die("floor: mmap");
    return at;
}

static void set_up_buffers(void)
{
    static const uint16_t flags = INCREMENTAL; /* follow the group's number; in the header of 2.3 that is padding */
    offered = pages(BUFFERS * sizeof(struct io_uring_buf));
    memory = pages((size_t)BUFFERS * BUFFER_SIZE);
    struct io_uring_buf_reg group = {.ring_addr = (uintptr_t)offered, .ring_entries = BUFFERS};
    memcpy((char *)&group + offsetof(struct io_uring_buf_reg, bgid) + sizeof group.bgid, &flags, sizeof flags);
    int error = io_uring_register_buf_ring(&ring, &group, 0);
    if (error < 0)
        die("floor: io_uring's buffers, filled piece by piece", error);
    io_uring_buf_ring_init(offered);
    for (int i = 0; i < BUFFERS; i++)
        full[full_count++] = i;
    offer_the_full();
}

static void take_all(void)
{
    struct io_uring_cqe *batch[BATCH];
    unsigned count;
    while ((count = io_uring_peek_batch_cqe(&ring, batch, BATCH)) > 0) {
        for (unsigned i = 0; i < count; i++)
            take(batch[i]);
        io_uring_cq_advance(&ring, count);
    }
}

int main(void)
{
    static const int one = 1;
    set_up_ring();
    set_up_buffers();
    int listener = floor_listen();
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* connections inherit it */
    accept_all(listener);
    for (;;) {
        int error = io_uring_submit_and_wait(&ring, 1);
        if (error < 0 && error != -EINTR)
            die("floor: io_uring_submit_and_wait", error);
        offer_the_full();
        take_all();
    }
}
