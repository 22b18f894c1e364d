/* SPDX-License-Identifier: MIT
 *
 * A ring does what the backend asks of one and nothing else, whoever writes into it; and what it receives into. Both by
 * their own calls, so of the library's inside.
 */
#include "case.h"

#include "poll/uring.h"
#include "sys/ring.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static int submit(struct fy_ring *ring, const struct io_uring_sqe *wanted)
{
    struct io_uring_sqe *sqe = fy_ring_entry(ring);
    assert_non_null(sqe);
    *sqe = *wanted;
    assert_int_equal(fy_sys_ring_enter(ring, 0), 0);
    assert_int_equal(fy_ring_ready(ring), 1);
    int result = fy_ring_completion(ring, 0)->res;
    fy_ring_taken(ring);
    return result;
}

static void it_opens_no_files_and_no_sockets(void)
{
    static const struct io_uring_sqe forbidden[] = {
        {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t) "/", .open_flags = O_PATH},
        {.opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_DGRAM},
        {.opcode = IORING_OP_CONNECT},
        {.opcode = IORING_OP_UNLINKAT},
        {.opcode = IORING_OP_WRITE},
        {.opcode = IORING_OP_SENDMSG},
        {.opcode = IORING_OP_RECV, .flags = IOSQE_ASYNC},
    };
    struct fy_ring ring;
    assert_int_equal(fy_sys_ring_open(&ring, 8, 16), 0);
    assert_int_equal(fy_sys_ring_start(&ring), 0);
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        case_row("operation %u", (unsigned)forbidden[i].opcode);
        assert_reason(submit(&ring, &forbidden[i]), -EACCES);
    }
    case_row("an operation of its own");
    assert_reason(submit(&ring, &(struct io_uring_sqe){.opcode = IORING_OP_RECV, .fd = -1}), -EBADF);
    fy_sys_ring_close(&ring);
}

/* More waits at once, in many sockets, than those that it begins with can hold. */
enum { PAIRS = 40 };

struct receiver {
    struct fy_source source;
    size_t received;
};

static void note(struct fy_source *source, const struct fy_completion *completion)
{
    if (completion->event == FY_RECEIVED)
        ((struct receiver *)source)->received += (size_t)completion->result;
}

/* Returns how many bytes wait in it now. */
static size_t fill(int fd)
{
    static char bytes[4096];
    size_t sum = 0;
    for (ssize_t n; (n = write(fd, bytes, sizeof bytes)) > 0;)
        sum += (size_t)n;
    return sum;
}

static size_t sum_of(const struct receiver *receivers)
{
    size_t sum = 0;
    for (size_t i = 0; i < PAIRS; i++)
        sum += receivers[i].received;
    return sum;
}

static void it_gets_more_buffers_when_they_did_not_suffice(void)
{
    static struct receiver receivers[PAIRS];
    struct fy_poll *poll;
    int ends[PAIRS][2];
    size_t written = 0;
    assert_int_equal(fy_backend_uring.open(&poll, -1), 0);
    const struct fy_provided *buffers = &((struct fy_uring *)poll)->buffers;
    unsigned first = buffers->given;
    for (size_t i = 0; i < PAIRS; i++) {
        assert_int_equal(fy_sys_socket_pair(ends[i]), 0);
        written += fill(ends[i][1]);
        receivers[i] = (struct receiver){.source = {.fd = ends[i][0], .done = note}};
        assert_int_equal(fy_poll_add(poll, &receivers[i].source), 0);
        fy_poll_request(poll, &receivers[i].source, FY_WANT_RECEIVE);
    }
    assert_true(written > (size_t)first * buffers->size);
    while (sum_of(receivers) < written) {
        assert_true(poll->backend->wait(poll, 0) >= 0);
        poll->backend->reap(poll);
    }
    assert_true(buffers->given <= buffers->count);
    if (buffers->incremental) /* before Linux 6.12 it has all of them from the start */
        assert_true(buffers->given > first);
    for (size_t i = 0; i < PAIRS; i++) {
        fy_poll_remove(poll, &receivers[i].source);
        assert_int_equal(close(ends[i][0]) | close(ends[i][1]), 0);
    }
    poll->backend->close(poll);
}

const struct test_case test_cases[] = {
    {"it_gets_more_buffers_when_they_did_not_suffice", it_gets_more_buffers_when_they_did_not_suffice},
    {"it_opens_no_files_and_no_sockets", it_opens_no_files_and_no_sockets},
    {NULL, NULL},
};
