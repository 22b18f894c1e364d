/* SPDX-License-Identifier: MIT
 *
 * Children: stderr is a pipe, no core is left, and signals do what they do by default.
 */
#include "child.h"

#include "case.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void be_the_child(void (*fn)(void *arg), void *arg, int to)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(to, STDERR_FILENO);
    fn(arg);
    _exit(0);
}

int child_run(void (*fn)(void *arg), void *arg, char *said, size_t cap)
{
    int pipes[2];
    int status;
    assert_int_equal(pipe(pipes), 0);
    (void)fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_the_child(fn, arg, pipes[1]);
    assert_int_equal(close(pipes[1]), 0);
    size_t len = 0;
    ssize_t n;
    while ((n = read(pipes[0], said + len, cap - 1 - len)) > 0)
        len += (size_t)n;
    said[len] = '\0';
    assert_int_equal(close(pipes[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

void child_expect_abort(void (*fn)(void *arg), void *arg, const char *sentence)
{
    char said[4096];
    int status = child_run(fn, arg, said, sizeof said);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        fail_msg("status %#x: %s", (unsigned)status, said);
    if (strstr(said, sentence) == NULL)
        fail_msg("it said: %s", said);
}
