/* SPDX-License-Identifier: MIT
 *
 * Faults: the calls with files, pipes and any descriptor; and those that have no name in libc.
 */
#include "calls.h"
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

int fault_open(const char *path, int flags, ...)
{
    return fault_refuses(FAULT_OPEN) ? -1 : open(path, flags); /* nothing is created, so no mode follows */
}

/* The descriptor is free also when it says EINTR or EIO: close(2). */
int fault_close(int fd)
{
    fault_forget(fd);
    int result = close(fd);
    return fault_refuses(FAULT_CLOSE) ? -1 : result;
}

int fault_fcntl(int fd, int command, ...)
{
    va_list args;
    va_start(args, command);
    long value = va_arg(args, long);
    va_end(args);
    return fault_refuses(FAULT_FCNTL) ? -1 : fcntl(fd, command, value);
}

int fault_fstat(int fd, struct stat *st)
{
    return fault_refuses(FAULT_FSTAT) ? -1 : fstat(fd, st);
}

int fault_lstat(const char *path, struct stat *st)
{
    return fault_refuses(FAULT_LSTAT) ? -1 : lstat(path, st);
}

int fault_unlink(const char *path)
{
    return fault_refuses(FAULT_UNLINK) ? -1 : unlink(path);
}

int fault_pipe2(int ends[2], int flags)
{
    return fault_refuses(FAULT_PIPE2) ? -1 : pipe2(ends, flags);
}

int fault_posix_fadvise(int fd, off_t offset, off_t len, int advice)
{
    return fault_refuses(FAULT_POSIX_FADVISE) ? errno : posix_fadvise(fd, offset, len, advice);
}

ssize_t fault_pread(int fd, void *buf, size_t len, off_t offset)
{
    struct fault_blow blow = fault_ask(FAULT_PREAD);
    errno = blow.error;
    return blow.error != 0 ? -1 : pread(fd, buf, blow.most > 0 && blow.most < len ? blow.most : len, offset);
}

ssize_t fault_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    return fault_refuses(FAULT_PREADV2) ? -1 : preadv2(fd, iov, count, offset, flags);
}

ssize_t fault_write(int fd, const void *data, size_t len)
{
    return fault_refuses(FAULT_WRITE) ? -1 : write(fd, data, len);
}

static long open_ring(const long args[6])
{
    if (fault_refuses(FAULT_RING_SETUP))
        return -1;
    long fd = syscall(SYS_io_uring_setup, args[0], args[1]);
    if (fd >= 0)
        fault_ring_opened((int)fd, (const void *)args[1]);
    return fd;
}

static bool is_wait(const long args[6])
{
    return (args[1] & ~FUTEX_PRIVATE_FLAG) == FUTEX_WAIT;
}

long fault_syscall(long number, ...)
{
    enum { CACHESTAT = 451 };
    long args[6];
    va_list list;
    va_start(list, number);
    for (size_t i = 0; i < sizeof args / sizeof args[0]; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_io_uring_setup)
        return open_ring(args);
    if (number == SYS_io_uring_enter)
        return fault_ring_enter(args);
    if (number == SYS_io_uring_register)
        return fault_ring_register(args);
    if ((number == CACHESTAT && fault_refuses(FAULT_CACHESTAT)) ||
        (number == SYS_futex && is_wait(args) && fault_refuses(FAULT_FUTEX_WAIT)))
        return -1;
    return syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
