/* SPDX-License-Identifier: MIT
 *
 * Each call made to fail: what may go wrong with it, and the tries, in processes that begin where the one before has failed.
 */
#include "tries.h"

#include "fault.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FAILURES = 10, SPINS = 50000, HANGS_MS = 60000 };

/* What may go wrong with a call, by its page in the manual, or by the kernel's source: shutdown(2) fails only on a connection that
 * has broken, of which the loop is told. */
struct way {
    enum fault_call call;
    int error;
    unsigned char most; /* bytes */
    bool early, spurious;
    bool once; /* from then on, it could never get on */
};

static const struct way ways[] = {
    {.call = FAULT_ACCEPT4, .error = EMFILE},
    {.call = FAULT_ACCEPT4, .error = ENFILE},
    {.call = FAULT_ACCEPT4, .error = ENOBUFS},
    {.call = FAULT_ACCEPT4, .error = ENOMEM},
    {.call = FAULT_ACCEPT4, .error = ECONNABORTED, .once = true},
    {.call = FAULT_ACCEPT4, .error = EAGAIN},
    {.call = FAULT_ACCEPT4, .error = EPERM},
    {.call = FAULT_ACCEPT4, .error = EINTR, .once = true},
    {.call = FAULT_BIND, .error = EADDRINUSE},
    {.call = FAULT_BIND, .error = EACCES},
    {.call = FAULT_CALLOC, .error = ENOMEM},
    {.call = FAULT_CLOSE, .error = EINTR},
    {.call = FAULT_CLOSE, .error = EIO},
    {.call = FAULT_CONNECT, .error = ECONNREFUSED},
    {.call = FAULT_CONNECT, .error = ETIMEDOUT},
    {.call = FAULT_CONNECT, .error = ENETUNREACH},
    {.call = FAULT_CONNECT, .error = EADDRNOTAVAIL},
    {.call = FAULT_CONNECT, .error = EAGAIN},
    {.call = FAULT_CONNECT, .error = EINTR},
    {.call = FAULT_EPOLL_CREATE1, .error = EMFILE},
    {.call = FAULT_EPOLL_CREATE1, .error = ENOMEM},
    {.call = FAULT_EPOLL_CTL, .error = ENOMEM},
    {.call = FAULT_EPOLL_CTL, .error = ENOSPC},
    {.call = FAULT_EPOLL_WAIT, .error = EINTR},
    {.call = FAULT_EPOLL_WAIT, .early = true},
    {.call = FAULT_EPOLL_WAIT, .spurious = true},
    {.call = FAULT_EVENTFD, .error = EMFILE},
    {.call = FAULT_EVENTFD, .error = ENFILE},
    {.call = FAULT_EVENTFD, .error = ENOMEM},
    {.call = FAULT_FCNTL, .error = EPERM},
    {.call = FAULT_FSTAT, .error = EIO},
    {.call = FAULT_FSTAT, .error = ENOMEM},
    {.call = FAULT_GETADDRINFO, .error = EAI_AGAIN},
    {.call = FAULT_GETADDRINFO, .error = EAI_MEMORY},
    {.call = FAULT_GETADDRINFO, .error = EAI_NONAME},
    {.call = FAULT_GETADDRINFO, .error = EAI_SYSTEM},
    {.call = FAULT_GETPEERNAME, .error = ENOTCONN},
    {.call = FAULT_GETPEERNAME, .error = ENOBUFS},
    {.call = FAULT_GETSOCKNAME, .error = ENOBUFS},
    {.call = FAULT_GETSOCKOPT, .error = ENOBUFS},
    {.call = FAULT_IOCTL, .error = EINVAL, .once = true},
    {.call = FAULT_LISTEN, .error = EADDRINUSE},
    {.call = FAULT_LSTAT, .error = ENOENT},
    {.call = FAULT_LSTAT, .error = EACCES},
    {.call = FAULT_MADVISE, .error = ENOMEM},
    {.call = FAULT_MADVISE, .error = EINVAL},
    {.call = FAULT_MALLOC, .error = ENOMEM},
    {.call = FAULT_MINCORE, .error = EAGAIN},
    {.call = FAULT_MMAP, .error = ENOMEM},
    {.call = FAULT_MPROTECT, .error = ENOMEM},
    {.call = FAULT_OPEN, .error = ENOENT},
    {.call = FAULT_OPEN, .error = EMFILE},
    {.call = FAULT_OPEN, .error = EIO},
    {.call = FAULT_PIPE2, .error = EMFILE},
    {.call = FAULT_PIPE2, .error = ENFILE},
    {.call = FAULT_POSIX_FADVISE, .error = EINVAL},
    {.call = FAULT_PREAD, .error = EIO},
    {.call = FAULT_PREAD, .most = 1},
    {.call = FAULT_PREADV2, .error = EAGAIN, .once = true},
    {.call = FAULT_PREADV2, .error = EOPNOTSUPP},
    {.call = FAULT_PTHREAD_CREATE, .error = EAGAIN},
    {.call = FAULT_REALLOC, .error = ENOMEM},
    {.call = FAULT_RECV, .error = EINTR, .once = true},
    {.call = FAULT_RECV, .error = EAGAIN},
    {.call = FAULT_RECV, .error = ECONNRESET},
    {.call = FAULT_RECV, .error = ETIMEDOUT},
    {.call = FAULT_RECV, .error = ENOMEM},
    {.call = FAULT_RECV, .most = 1, .once = true},
    {.call = FAULT_RECV, .most = 2, .once = true},
    {.call = FAULT_RECV, .most = 7},
    {.call = FAULT_SEND, .error = EINTR, .once = true},
    {.call = FAULT_SEND, .error = EAGAIN},
    {.call = FAULT_SEND, .error = ECONNRESET},
    {.call = FAULT_SEND, .error = EPIPE},
    {.call = FAULT_SEND, .error = ETIMEDOUT},
    {.call = FAULT_SEND, .error = ENOBUFS},
    {.call = FAULT_SEND, .error = ENOMEM},
    {.call = FAULT_SEND, .most = 1, .once = true},
    {.call = FAULT_SEND, .most = 2, .once = true},
    {.call = FAULT_SEND, .most = 200},
    {.call = FAULT_SENDFILE, .error = EINTR, .once = true},
    {.call = FAULT_SENDFILE, .error = EAGAIN},
    {.call = FAULT_SENDFILE, .error = EIO},
    {.call = FAULT_SENDFILE, .error = ENOMEM},
    {.call = FAULT_SENDFILE, .error = EPIPE},
    {.call = FAULT_SENDFILE, .error = ECONNRESET},
    {.call = FAULT_SENDFILE, .most = 1, .once = true},
    {.call = FAULT_SENDFILE, .most = 200},
    {.call = FAULT_SENDMSG, .error = EINTR, .once = true},
    {.call = FAULT_SENDMSG, .error = EAGAIN},
    {.call = FAULT_SENDMSG, .error = ECONNRESET},
    {.call = FAULT_SENDMSG, .error = EPIPE},
    {.call = FAULT_SENDMSG, .error = ENOBUFS},
    {.call = FAULT_SENDMSG, .most = 1, .once = true},
    {.call = FAULT_SENDMSG, .most = 200},
    {.call = FAULT_SETSOCKOPT, .error = ENOMEM},
    {.call = FAULT_SETSOCKOPT, .error = ENOPROTOOPT},
    {.call = FAULT_SOCKET, .error = EMFILE},
    {.call = FAULT_SOCKET, .error = ENFILE},
    {.call = FAULT_SOCKET, .error = ENOBUFS},
    {.call = FAULT_SOCKET, .error = EACCES},
    {.call = FAULT_SPLICE, .error = EINTR, .once = true},
    {.call = FAULT_SPLICE, .error = EAGAIN},
    {.call = FAULT_SPLICE, .error = ECONNRESET},
    {.call = FAULT_SPLICE, .error = ENOMEM},
    {.call = FAULT_SPLICE, .error = EPIPE},
    {.call = FAULT_SPLICE, .most = 1, .once = true},
    {.call = FAULT_SPLICE, .most = 200},
    {.call = FAULT_UNLINK, .error = EACCES},
    {.call = FAULT_WRITE, .error = EINTR, .once = true},
    {.call = FAULT_CACHESTAT, .error = EOPNOTSUPP},
    {.call = FAULT_RING_SETUP, .error = ENOMEM},
    {.call = FAULT_RING_SETUP, .error = EMFILE},
    {.call = FAULT_RING_SETUP, .error = EPERM},
    {.call = FAULT_RING_REGISTER, .error = ENOMEM},
    {.call = FAULT_RING_REGISTER, .error = EINVAL},
    {.call = FAULT_RING_ENTER, .error = EINTR},
    {.call = FAULT_RING_ENTER, .error = EAGAIN, .once = true},
    {.call = FAULT_RING_ENTER, .error = EBUSY, .once = true},
    {.call = FAULT_RING_ENTER, .early = true},
    {.call = FAULT_RING_ACCEPT, .error = EMFILE},
    {.call = FAULT_RING_ACCEPT, .error = ENFILE},
    {.call = FAULT_RING_ACCEPT, .error = ENOMEM},
    {.call = FAULT_RING_ACCEPT, .error = ECONNABORTED, .once = true},
    {.call = FAULT_RING_ACCEPT, .error = EAGAIN, .once = true},
    {.call = FAULT_RING_POLL, .error = ENOMEM, .once = true},
    {.call = FAULT_RING_POLL, .error = ECANCELED, .once = true},
    {.call = FAULT_RING_RECEIVE, .error = EINTR, .once = true},
    {.call = FAULT_RING_RECEIVE, .error = ENOBUFS, .once = true},
    {.call = FAULT_RING_RECEIVE, .error = ECONNRESET},
    {.call = FAULT_RING_RECEIVE, .error = ETIMEDOUT},
    {.call = FAULT_RING_RECEIVE, .error = ENOMEM},
    {.call = FAULT_RING_SEND, .error = EAGAIN},
    {.call = FAULT_RING_SEND, .error = ECONNRESET},
    {.call = FAULT_RING_SEND, .error = EPIPE},
    {.call = FAULT_RING_SEND, .error = ENOBUFS},
    {.call = FAULT_RING_SEND, .error = ENOMEM},
    {.call = FAULT_RING_SEND, .error = EINVAL},
    {.call = FAULT_RING_SEND, .most = 1, .once = true},
    {.call = FAULT_RING_SEND, .most = 200},
};

struct attempt {
    const struct way *way;
    uint64_t k;
    bool on; /* from the k-th on */
    ferry_backend backend;
};

/* What the processes share. */
struct progress {
    atomic_size_t next; /* the attempt that comes next; the one before is under way, or has failed */
    atomic_uint_fast64_t struck;
};

static struct attempt current;
static atomic_uint spins;

static struct fault_blow strike(enum fault_call call, uint64_t n)
{
    const struct way *way = current.way;
    if (call != way->call || (current.on ? n < current.k : n != current.k))
        return (struct fault_blow){0};
    bool passes = way->error == 0 || way->error == EAGAIN || way->error == EINTR || way->error == ENOMEM;
    if (!passes && atomic_fetch_add(&spins, 1) > SPINS)
        fail_msg("it spins");
    return (struct fault_blow){.error = way->error, .most = way->most, .early = way->early, .spurious = way->spurious};
}

/* One that the library has to take in its stride, once: then all goes well. */
static bool is_unnoticed(const struct attempt *attempt)
{
    enum fault_call call = attempt->way->call;
    int error = attempt->way->error;
    bool is_refusal = call == FAULT_CONNECT || call == FAULT_PTHREAD_CREATE;
    return !attempt->on && !is_refusal && (error == 0 || error == EAGAIN || error == EINTR);
}

static struct fault_blow count_only(enum fault_call call, uint64_t n)
{
    (void)call;
    (void)n;
    return (struct fault_blow){0};
}

/* How it is named, for people, and to play it alone. */

static const char *how(const struct way *way, char *buf, size_t cap)
{
    if (way->call == FAULT_GETADDRINFO)
        (void)snprintf(buf, cap, "EAI%d", way->error);
    else if (way->error != 0)
        return strerrorname_np(way->error);
    else if (way->most > 0)
        (void)snprintf(buf, cap, "%u-bytes", way->most);
    else
        return way->early ? "early" : "spurious";
    return buf;
}

static void name(const struct attempt *attempt, char *buf, size_t cap)
{
    char words[32];
    (void)snprintf(buf, cap, "%s %s %s %s %ju", attempt->backend == FERRY_BACKEND_URING ? "uring" : "epoll",
                   fault_names[attempt->way->call], how(attempt->way, words, sizeof words), attempt->on ? "on" : "once",
                   (uintmax_t)attempt->k);
}

/* Playing. */

static void play_scene(void (*play)(struct stage *), ferry_backend backend, fault_policy *policy, bool clean)
{
    struct fault_held before = fault_held();
    int descriptors = case_descriptors();
    struct stage stage = {.plain = -1, .backend = backend, .clean = clean};
    atomic_store(&spins, 0);
    fault_use(policy);
    play(&stage);
    stage_close(&stage);
    fault_end();
    struct fault_held after = fault_held();
    assert_int_equal(after.blocks, before.blocks);
    assert_int_equal(after.mapped, before.mapped);
    assert_int_equal(after.threads, before.threads);
    assert_int_equal(case_descriptors(), descriptors);
}

static void play_attempt(void (*play)(struct stage *), const struct attempt *attempt)
{
    char words[128];
    current = *attempt;
    name(attempt, words, sizeof words);
    case_row("%s", words);
    play_scene(play, attempt->backend, strike, is_unnoticed(attempt));
}

/* All attempts. */

struct attempts {
    struct attempt *list;
    size_t count, cap;
};

static void add(struct attempts *all, struct attempt attempt)
{
    if (all->count == all->cap) {
        all->cap = all->cap > 0 ? all->cap * 2 : 1024;
        all->list = realloc(all->list, all->cap * sizeof *all->list);
        assert_non_null(all->list);
    }
    all->list[all->count++] = attempt;
}

/* Plays it without faults, which it has to pass; the calls that it makes are those that may fail. */
static void count_attempts(struct attempts *all, void (*play)(struct stage *), ferry_backend backend)
{
    case_row("%s, without faults", backend == FERRY_BACKEND_URING ? "uring" : "epoll");
    play_scene(play, backend, count_only, true); /* what is done once in a process is over then */
    play_scene(play, backend, count_only, true);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const struct way *way = &ways[i];
        for (uint64_t k = 1; k <= fault_count(way->call); k++)
            for (int on = 0; on <= !way->once; on++)
                add(all, (struct attempt){.way = way, .k = k, .on = on, .backend = backend});
    }
}

static void shuffle(struct attempts *all, uint64_t seed)
{
    for (size_t i = all->count; i > 1; i--) {
        size_t j = random_below(&seed, i);
        struct attempt other = all->list[j];
        all->list[j] = all->list[i - 1];
        all->list[i - 1] = other;
    }
}

static uint64_t number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

/* In a process of its own: goes on with the attempts until one fails, which ends it, or the time is up. */
static void go_on(const struct attempts *all, void (*play)(struct stage *), struct progress *progress, uint64_t until)
{
    while (now_ms() < until) {
        size_t next = atomic_fetch_add(&progress->next, 1);
        if (next >= all->count)
            break;
        play_attempt(play, &all->list[next]);
        atomic_fetch_add(&progress->struck, fault_struck() > 0);
    }
    _exit(0);
}

/* Waits for it: true = it has come to its end. One that does not get on is ended. */
static bool await(pid_t child, struct progress *progress)
{
    size_t seen = 0;
    int status = 0;
    for (uint64_t since = now_ms(); waitpid(child, &status, WNOHANG) == 0; sleep_ms(5)) {
        if (atomic_load(&progress->next) != seen) {
            seen = atomic_load(&progress->next);
            since = now_ms();
        } else if (now_ms() - since > HANGS_MS) {
            (void)fprintf(stderr, "it hangs\n");
            (void)kill(child, SIGKILL);
            since = now_ms();
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int try_them(const struct attempts *all, void (*play)(struct stage *), struct progress *progress, uint64_t until)
{
    int failures = 0;
    while (failures < FAILURES && now_ms() < until && atomic_load(&progress->next) < all->count) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            go_on(all, play, progress, until);
        if (await(child, progress))
            continue;
        char words[128];
        size_t failed = atomic_load(&progress->next) - 1;
        name(&all->list[failed < all->count ? failed : all->count - 1], words, sizeof words);
        (void)fprintf(stderr, "FERRY_FAULT_ONE='%s' fails\n", words);
        failures++;
    }
    return failures;
}

static bool play_one(const struct attempts *all, void (*play)(struct stage *), const char *which)
{
    for (size_t i = 0; i < all->count; i++) {
        char words[128];
        name(&all->list[i], words, sizeof words);
        if (strcmp(words, which) != 0)
            continue;
        play_attempt(play, &all->list[i]);
        return true;
    }
    return false;
}

void try_all(void (*play)(struct stage *))
{
    struct attempts all = {.list = NULL};
    const char *one = getenv("FERRY_FAULT_ONE");
    count_attempts(&all, play, FERRY_BACKEND_EPOLL);
    count_attempts(&all, play, FERRY_BACKEND_URING);
    if (one != NULL) {
        assert_true(play_one(&all, play, one));
        free(all.list);
        return;
    }
    struct progress *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(progress != MAP_FAILED);
    uint64_t seconds = number("FERRY_FAULT_FULL", 0) > 0 ? 7200 : number("FERRY_FAULT_SECONDS", 3);
    shuffle(&all, number("FERRY_FAULT_SEED", 1));
    int failures = try_them(&all, play, progress, now_ms() + seconds * 1000);
    size_t tried = atomic_load(&progress->next);
    (void)printf("injections: %zu of %zu, of which %ju struck; %d failed\n", tried < all.count ? tried : all.count,
                 all.count, (uintmax_t)atomic_load(&progress->struck), failures);
    (void)munmap(progress, sizeof *progress);
    free(all.list);
    assert_int_equal(failures, 0);
}
