/* SPDX-License-Identifier: MIT
 *
 * A pool where io_uring is refused: who asked for it is told why, and everybody else does not notice; or a call that epoll can
 * do without. Each row is a process of its own, since a filter stays, and io_uring is tried out once in a process.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct refusal {
    const char *name;
    unsigned call;  /* the system call that fails, */
    unsigned error; /* with what, */
    const char *why;
};

static const struct refusal refusals[] = {
    {"setup, EPERM", SYS_io_uring_setup, EPERM, "io_uring_setup: not permitted"},
    {"setup, ENOSYS", SYS_io_uring_setup, ENOSYS, "io_uring_setup: the kernel has none"},
    {"setup, ENOMEM", SYS_io_uring_setup, ENOMEM, "io_uring_setup: no memory"},
    {"register, EINVAL", SYS_io_uring_register, EINVAL, "too old"},
    {"enter, EPERM", SYS_io_uring_enter, EPERM, "multishot receive into provided buffers: not permitted"},
};

static void refuse(const struct refusal *row)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, row->call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | row->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

struct lines {
    unsigned count;
    char last[256];
};

static void note_line(ferry_log_level level, const char *line, void *arg)
{
    struct lines *lines = arg;
    assert_int_equal(level, FERRY_LOG_ERROR);
    lines->count++;
    (void)snprintf(lines->last, sizeof lines->last, "%s", line);
}

/* Nothing is left behind by a try, however often it fails. */
static void expect_refused(ferry_backend asked, const char *why)
{
    struct lines lines = {0};
    int before = case_descriptors();
    ferry_log_to(note_line, &lines);
    for (unsigned i = 1; i <= 3; i++) {
        errno = 0;
        assert_null(ferry_pool_new(&(ferry_pool_options){.threads = 2, .backend = asked}));
        assert_int_equal(errno, ENOTSUP);
        assert_int_equal(lines.count, i);
        if (strstr(lines.last, why) == NULL)
            fail_msg("'%s' is not in the line: %s", why, lines.last);
    }
    ferry_log_to(NULL, NULL);
    assert_int_equal(case_descriptors(), before);
}

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

/* `why`: the kernel's refusal, which is told to who has left the choice to ferry; NULL: has not. */
static void expect_served(ferry_backend asked, const char *why)
{
    static const ferry_service service = {.on_data = echo};
    struct lines lines = {0};
    struct host host;
    char back[5];
    ferry_log_to(note_line, &lines);
    host_init(&host, &service);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .backend = asked});
    const char *name = ferry_pool_backend(host.pool);
    if (why == NULL)
        assert_string_equal(name, "epoll");
    else if (strncmp(name, "epoll (no io_uring: ", 20) != 0 || strstr(name, why) == NULL)
        fail_msg("'%s' is not told: %s", why, name);
    int fd = peer_connect(host.address);
    peer_write(fd, "ferry", 5);
    peer_read(fd, back, 5);
    peer_close(fd);
    host_stop(&host);
    ferry_log_to(NULL, NULL);
    assert_int_equal(lines.count, 0);
}

enum { NOT_TAKEN = 77 };

static void live_without_it(const struct refusal *row)
{
    refuse(row);
    assert_int_equal(unsetenv("FERRY_BACKEND"), 0);
    expect_served(FERRY_BACKEND_AUTO, row->why);
    expect_served(FERRY_BACKEND_EPOLL, NULL);
    expect_refused(FERRY_BACKEND_URING, row->why);
    assert_int_equal(setenv("FERRY_BACKEND", "epoll", 1), 0);
    expect_served(FERRY_BACKEND_URING, NULL);
    assert_int_equal(setenv("FERRY_BACKEND", "uring", 1), 0);
    expect_refused(FERRY_BACKEND_EPOLL, row->why);
}

static void in_a_process_of_its_own(void (*live)(const struct refusal *), const struct refusal *row)
{
    int status;
    case_row("%s", row->name);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        live(row);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void refused_by_the_kernel(void)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        in_a_process_of_its_own(live_without_it, &refusals[i]);
}

/* Waiting by the nanosecond. A timer fires all the same, and is not early. */
static const struct refusal waits[] = {
    {"epoll_pwait2, ENOSYS", SYS_epoll_pwait2, ENOSYS, NULL},
    {"epoll_pwait2, EPERM", SYS_epoll_pwait2, EPERM, NULL},
};

static void stop(void *pool)
{
    ferry_pool_stop(pool);
}

static void wait_without_it(const struct refusal *row)
{
    refuse(row);
    assert_int_equal(setenv("FERRY_BACKEND", "epoll", 1), 0);
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(pool);
    uint64_t begin = now_ns();
    assert_non_null(ferry_after(ferry_pool_loop(pool, 0), 20, stop, pool));
    assert_int_equal(ferry_pool_run(pool), 0);
    assert_true(now_ns() - begin >= 20 * 1000000ULL);
    ferry_pool_free(pool);
}

static void a_wait_that_is_refused(void)
{
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        in_a_process_of_its_own(wait_without_it, &waits[i]);
}

/* A process of its own, since what AUTO takes is found out once in each. */
static bool takes_it_and_is_refused(void)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        assert_int_equal(unsetenv("FERRY_BACKEND"), 0);
        ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
        assert_non_null(pool);
        bool taken = strcmp(ferry_pool_backend(pool), "io_uring") == 0;
        if (!taken)
            assert_non_null(strstr(ferry_pool_backend(pool), "epoll (no io_uring: "));
        ferry_pool_free(pool);
        refuse(&refusals[0]);
        expect_served(FERRY_BACKEND_AUTO, taken ? "a loop's: not permitted" : "");
        _exit(taken ? 0 : NOT_TAKEN);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == NOT_TAKEN);
    return WEXITSTATUS(status) == 0;
}

/* io_uring works and is taken, and then there is no more of it: epoll. A tool that it cannot be used under is a reason not to
 * take it, and so is a machine where it does not pay; one that is busy may find so now and then. */
static void refused_on_the_way(void)
{
    bool taken = false;
    for (int i = 0; i < 20 && !taken; i++)
        taken = takes_it_and_is_refused();
}

static void an_unknown_name_is_one_line(void)
{
    struct lines lines = {0};
    assert_int_equal(setenv("FERRY_BACKEND", "kqueue", 1), 0);
    ferry_log_to(note_line, &lines);
    for (ferry_backend asked = FERRY_BACKEND_AUTO; asked <= FERRY_BACKEND_URING; asked++) {
        errno = 0;
        assert_null(ferry_pool_new(&(ferry_pool_options){.threads = 1, .backend = asked}));
        assert_int_equal(errno, EINVAL);
        assert_int_equal(lines.count, asked + 1);
        assert_non_null(strstr(lines.last, "kqueue"));
    }
    ferry_log_to(NULL, NULL);
}

const struct test_case test_cases[] = {
    {"refused_by_the_kernel", refused_by_the_kernel},
    {"refused_on_the_way", refused_on_the_way},
    {"a_wait_that_is_refused", a_wait_that_is_refused},
    {"an_unknown_name_is_one_line", an_unknown_name_is_one_line},
    {NULL, NULL},
};
