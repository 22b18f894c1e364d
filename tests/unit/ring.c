/* SPDX-License-Identifier: MIT
 *
 * A ring does what the backend asks of one and nothing else, whoever writes into it; its own calls, so of the library's
 * inside.
 */
#include "case.h"

#include "sys/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

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

const struct test_case test_cases[] = {
    {"it_opens_no_files_and_no_sockets", it_opens_no_files_and_no_sockets},
    {NULL, NULL},
};
