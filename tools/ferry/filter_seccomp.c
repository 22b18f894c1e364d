/* SPDX-License-Identifier: MIT
 *
 * A seccomp filter by libseccomp: a list of what is allowed, so that what is new in a kernel is not.
 *
 * A filter sees numbers, not what pointers lead to: which files can be opened is Landlock's matter (confine.c). Numbers
 * that the C library may use in another version or on another machine are in the list, too.
 */
#include "filter.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CACHESTAT = 451 }; /* on every processor; newer than libseccomp 2.5 */

static const int always[] = {
    /* Bytes. What a socket is sent by has no address: see the argument rules. */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(preadv2),
    SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendfile), SCMP_SYS(fadvise64),
    SCMP_SYS(readahead), CACHESTAT,
    /* Sockets that are there already. */
    SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(close),
    /* Waiting. */
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(futex),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(restart_syscall),
    /* Memory; none of it can be run. */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(mincore), SCMP_SYS(getrandom),
    /* Threads and signals of its own. */
    SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(gettid),
    SCMP_SYS(getpid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack), SCMP_SYS(exit), SCMP_SYS(exit_group)};

/* The older openat(2) is what is left without openat2(2). */
static const int opening[] = {SCMP_SYS(openat2), SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(newfstatat)};
static const int unlinking[] = {SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(lstat), SCMP_SYS(newfstatat)};

/* The rings are there already: none is set up. */
static const int ringing[] = {SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register)};

static int allow(scmp_filter_ctx context, const int *calls, size_t count)
{
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = seccomp_rule_add(context, SCMP_ACT_ALLOW, calls[i], 0);
    return error;
}

/* Where an argument decides. Of an int, the kernel looks at the lower half alone. */
static int allow_some(scmp_filter_ctx context)
{
    const struct {
        int call;
        struct scmp_arg_cmp when;
    } rules[] = {
        {SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
        {SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)},
        {SCMP_SYS(sendto), SCMP_A4(SCMP_CMP_EQ, 0, 0)},
        {SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, F_GETFL)},
        {SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, SIOCOUTQ)},
        {SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, TCGETS)}, /* stdio asks whether it is a terminal */
    };
    int error = 0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules && error == 0; i++)
        error = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, rules[i].call, 1, &rules[i].when);
    return error;
}

static int fill(scmp_filter_ctx context, const struct filter *filter)
{
    int error = allow(context, always, sizeof always / sizeof *always);
    if (error == 0)
        error = allow_some(context);
    if (error == 0 && filter->opens)
        error = allow(context, opening, sizeof opening / sizeof *opening);
    if (error == 0 && filter->unlinks)
        error = allow(context, unlinking, sizeof unlinking / sizeof *unlinking);
    if (error == 0 && filter->ring)
        error = allow(context, ringing, sizeof ringing / sizeof *ringing);
    if (error == 0) /* its flags lie behind a pointer; without it the C library starts threads by clone(2) */
        error = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return error;
}

int filter_install(const struct filter *filter)
{
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (context == NULL)
        return -ENOMEM;
    int error = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0)
        error = seccomp_attr_set(context, SCMP_FLTATR_API_SYSRAWRC, 1);
    if (error == 0)
        error = fill(context, filter);
    if (error == 0)
        error = seccomp_load(context);
    seccomp_release(context);
    return error;
}
