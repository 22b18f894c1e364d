/* SPDX-License-Identifier: MIT
 *
 * The rest of src/sys/sys.h: memory, futexes, threads; and what a simulated program has no use for.
 */
#include "sim.h"

#include "sys/sys.h"

#include <errno.h>
#include <netdb.h>
#include <sys/mman.h>
#include <unistd.h>

size_t fy_sys_page(void)
{
    return (size_t)getpagesize();
}

/* The stacks of coroutines are real memory, without guards: ASan, which the seeds are run under, too, knows their bounds. */
void *fy_sys_map_stacks(size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

void fy_sys_unmap(void *base, size_t bytes)
{
    munmap(base, bytes);
}

int fy_sys_guard(void *page, size_t bytes)
{
    (void)page;
    (void)bytes;
    return 0;
}

void fy_sys_discard(void *base, size_t bytes)
{
    (void)base;
    (void)bytes;
}

size_t fy_sys_untouched(void *base, size_t bytes)
{
    (void)base;
    return bytes;
}

void fy_sys_wait_while(atomic_uint *word, unsigned value)
{
    sim_step("futex wait", 0, 0);
    sim_reached(SIM_LOCK_WAITED);
    if (atomic_load(word) == value && !sim_one_in(20))
        sim_wait(word, UINT64_MAX);
}

void fy_sys_wake_one(atomic_uint *word)
{
    sim_step("futex wake", 0, 0);
    sim_wake_one(word);
}

int fy_sys_thread(void *(*run)(void *), void *arg, unsigned long *id)
{
    sim_step("thread", 0, 0);
    if (sim_weather.loops > 0)
        sim_weather.loops--;
    else if (sim_one_in(sim_weather.no_thread))
        return -EAGAIN;
    *id = sim_spawn("ferry", run, arg);
    sim_step("thread says", *id, 0);
    return 0;
}

int fy_sys_resolve(const char *host, const char *port, bool passive, struct addrinfo **list)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    (void)host;
    (void)passive;
    sim_step("resolve", 0, 0);
    return getaddrinfo("127.0.0.1", port, &hints, list) == 0 ? 0 : -ENOENT;
}

void fy_sys_complain(const char *text, size_t len)
{
    ssize_t written = write(STDERR_FILENO, text, len);
    (void)written;
}

/* Signals do not come here. */

void fy_sys_hold_pipe(sigset_t *before)
{
    sigemptyset(before);
}

void fy_sys_release_pipe(const sigset_t *before)
{
    (void)before;
}

void fy_sys_alarm_stack(const stack_t *stack, stack_t *before)
{
    (void)stack;
    if (before)
        *before = (stack_t){.ss_flags = SS_DISABLE};
}

int fy_sys_sigaction(int signal, const struct sigaction *action, struct sigaction *old)
{
    (void)signal;
    (void)action;
    (void)old;
    return 0;
}

/* Forwarding has no pipes here, and goes through memory; there are no Unix sockets, and no paths. */

int fy_sys_pipe(int ends[2], int bytes)
{
    (void)ends;
    (void)bytes;
    return -EMFILE;
}

ssize_t fy_sys_splice_in(int fd, int pipe, size_t len)
{
    (void)fd;
    (void)pipe;
    (void)len;
    return -EINVAL;
}

ssize_t fy_sys_splice_out(int pipe, int fd, size_t len)
{
    (void)fd;
    (void)pipe;
    (void)len;
    return -EINVAL;
}

int fy_sys_socket_pair(int ends[2])
{
    (void)ends;
    return -EMFILE;
}

int fy_sys_open(const char *path)
{
    (void)path;
    return -ENOENT;
}

int fy_sys_stat_socket(const char *path, struct stat *st)
{
    (void)path;
    (void)st;
    return -ENOENT;
}

int fy_sys_unlink_socket(const char *path)
{
    (void)path;
    return -ENOENT;
}
