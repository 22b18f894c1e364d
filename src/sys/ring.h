/* SPDX-License-Identifier: MIT
 *
 * sys: io_uring's system calls, by liburing; io_uring(7). Each returns 0 or more, or -errno. What goes into a ring's memory
 * and comes out of it is no call, and is the caller's own: poll/uring.c.
 */
#ifndef FY_SYS_RING_H
#define FY_SYS_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* A ring that does nothing yet: it will belong to the thread that starts it, which alone may enter it. */
int fy_sys_ring_open(struct io_uring *ring, unsigned submissions, unsigned completions);
int fy_sys_ring_start(struct io_uring *ring);
void fy_sys_ring_close(struct io_uring *ring); /* any thread; what is still under way is cancelled by the kernel, later */

/* Submits what is in the ring, and waits for a completion, at most `timeout_ns`; -1 = for ever. An interrupted wait is 0,
 * and so is one that ended without any. -EBUSY: completions must be taken out first. */
int fy_sys_ring_enter(struct io_uring *ring, int64_t timeout_ns);

/* The eventfd becomes readable when there is something to enter the ring for. */
int fy_sys_ring_tell(struct io_uring *ring, int eventfd);

/* A group of `count` (a power of two) buffers that the kernel takes from when it receives. `incremental`: each is filled piece
 * by piece, Linux 6.12; -EINVAL where that is not known. */
int fy_sys_ring_buffers(struct io_uring *ring, struct io_uring_buf_ring *buffers, unsigned count, bool incremental);

/* Pages of zeros, by mmap(2); NULL = none. */
void *fy_sys_map_pages(size_t bytes);

#endif
