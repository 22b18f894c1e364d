/* SPDX-License-Identifier: MIT
 *
 * poll: which backend a pool gets. That the kernel knows io_uring says little: a policy may forbid it, or an old kernel lack
 * what is needed of it. So it is tried out, once in a process.
 */
#include "poll/choose.h"

#include "base/log.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_once_t once;
    int error; /* 0 = it works */
    char why[96];
} uring = {.once = PTHREAD_ONCE_INIT};

/* Why not, in words. */
static void explain(const char *what, int error, char *text, size_t cap)
{
    static const struct {
        int error;
        const char *why;
    } known[] = {
        {-ENOSYS, "the kernel has none"},
        {-EPERM, "not permitted: kernel.io_uring_disabled, or a seccomp filter"},
        {-EACCES, "not permitted"},
        {-EINVAL, "the kernel's is too old, Linux 6.1 is needed"},
        {-ENOTSUP, "the kernel's is too old, Linux 6.1 is needed"},
        {-ENOMEM, "no memory for it, or RLIMIT_MEMLOCK"},
    };
    const char *why = strerror(-error);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].error == error)
            why = known[i].why;
    snprintf(text, cap, "%s: %s", what, why);
}

static void *run_probe(void *arg)
{
    const char *what = "";
    (void)arg;
    uring.error = fy_backend_probe(&fy_backend_uring, &what);
    explain(what, uring.error, uring.why, sizeof uring.why);
    return NULL;
}

/* On a thread of its own, which the kernel may disturb when it has done with the ring: see fy_sys_ring_open(). */
static void try_out(void)
{
    unsigned long thread;
    int error = fy_sys_thread(run_probe, NULL, &thread);
    if (error == 0) {
        pthread_join((pthread_t)thread, NULL);
        return;
    }
    uring.error = error;
    explain("a thread to try it out", error, uring.why, sizeof uring.why);
}

static int by_name(const char *name, ferry_backend *backend)
{
    static const char *const names[] = {"auto", "epoll", "uring"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *backend = (ferry_backend)i;
            return 0;
        }
    fy_log(FERRY_LOG_ERROR, "FERRY_BACKEND takes auto, epoll or uring, not '%s'", name);
    return -EINVAL;
}

int fy_backend_choose(ferry_backend asked, const struct fy_backend **backend)
{
    const char *named = secure_getenv("FERRY_BACKEND");
    int error = named && *named ? by_name(named, &asked) : 0;
    *backend = &fy_backend_epoll;
    if (error < 0 || asked != FERRY_BACKEND_URING)
        return error;
    pthread_once(&uring.once, try_out);
    if (uring.error < 0) {
        fy_log(FERRY_LOG_ERROR, "no io_uring: %s", uring.why);
        return -ENOTSUP;
    }
    *backend = &fy_backend_uring;
    return 0;
}
