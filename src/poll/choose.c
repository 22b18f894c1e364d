/* SPDX-License-Identifier: MIT
 *
 * poll: which backend a pool gets. That the kernel knows io_uring says little: a policy may forbid it, or an old kernel
 * lack what is needed of it. So it is tried out, once in a process.
 */
#include "poll/choose.h"

#include "base/log.h"
#include "sys/ring.h"
#include "sys/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Per cent of epoll's cost. It is measured over Unix sockets, of whose cost the calls are a greater part: over TCP the
 * kernel does about three times as much, and 85 is some 95. Closer, it is not worth the difference. */
enum { WINS = 85 };

static struct {
    pthread_once_t tried, measured;
    int error; /* 0 = it works */
    bool wins;
    char why[128]; /* it does not work, or does not win */
} uring = {.tried = PTHREAD_ONCE_INIT, .measured = PTHREAD_ONCE_INIT};

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

static void *run_comparison(void *arg)
{
    unsigned percent = 0;
    (void)arg;
    int error = fy_backend_compare(&fy_backend_uring, &fy_backend_epoll, &percent);
    uring.wins = error == 0 && percent <= WINS;
    if (error < 0)
        snprintf(uring.why, sizeof uring.why, "what it costs could not be measured: %s", strerror(-error));
    else
        snprintf(uring.why, sizeof uring.why, "a message costs %u %% of one by epoll, more than %d", percent, WINS);
    return NULL;
}

/* On a thread of its own, which the kernel may disturb when it has done with the ring: see fy_sys_ring_open(). */
static int run_apart(void *(*run)(void *))
{
    unsigned long thread;
    int error = fy_sys_thread(run, NULL, &thread);
    if (error == 0)
        pthread_join((pthread_t)thread, NULL);
    return error;
}

static void try_out(void)
{
    int error = run_apart(run_probe);
    if (error == 0)
        return;
    uring.error = error;
    explain("a thread to try it out", error, uring.why, sizeof uring.why);
}

static void measure(void)
{
    pthread_once(&uring.tried, try_out);
    const char *tool = fy_sys_watched_by();
    if (uring.error < 0)
        return;
    if (tool)
        snprintf(uring.why, sizeof uring.why, "%s does not see what it does", tool);
    else if (run_apart(run_comparison) < 0)
        snprintf(uring.why, sizeof uring.why, "no thread to measure what it costs");
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

static void take(struct fy_choice *choice, const struct fy_backend *backend, const char *why)
{
    choice->backend = backend;
    snprintf(choice->name, sizeof choice->name, why ? "%s (no io_uring: %s)" : "%s", backend->name, why);
}

static int take_uring(struct fy_choice *choice)
{
    pthread_once(&uring.tried, try_out);
    if (uring.error < 0) {
        fy_log(FERRY_LOG_ERROR, "no io_uring: %s", uring.why);
        return -ENOTSUP;
    }
    take(choice, &fy_backend_uring, NULL);
    return 0;
}

int fy_backend_choose(ferry_backend asked, struct fy_choice *choice)
{
    const char *named = secure_getenv("FERRY_BACKEND");
    int error = named && *named ? by_name(named, &asked) : 0;
    if (error < 0)
        return error;
    choice->automatic = asked == FERRY_BACKEND_AUTO;
    if (asked == FERRY_BACKEND_URING)
        return take_uring(choice);
    if (choice->automatic)
        pthread_once(&uring.measured, measure);
    if (choice->automatic && uring.wins)
        take(choice, &fy_backend_uring, NULL);
    else
        take(choice, &fy_backend_epoll, choice->automatic ? uring.why : NULL);
    return 0;
}

bool fy_backend_fall_back(struct fy_choice *choice, int error)
{
    char why[128];
    if (!choice->automatic || choice->backend != &fy_backend_uring)
        return false;
    explain("a loop's", error, why, sizeof why);
    take(choice, &fy_backend_epoll, why);
    return true;
}
