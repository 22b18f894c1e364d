/* SPDX-License-Identifier: MIT
 *
 * A coroutine that overflows its stack ends the process with a sentence that names it; a fault that is no overflow goes
 * where it would have gone without ferry. In processes of their own.
 */
#include "case.h"
#include "child.h"

#include <ferry/ferry.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct fall {
    void (*fn)(void *arg);
    const char *name;
    size_t stack_size;
    void (*handler)(int); /* of SIGSEGV, from before */
    unsigned loop;
};

static void run(void *arg)
{
    const struct fall *fall = arg;
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = fall->loop + 1});
    const ferry_spawn_options options = {.name = fall->name, .stack_size = fall->stack_size};
    (void)signal(SIGSEGV, fall->handler);
    (void)signal(SIGUSR1, SIG_DFL);
    if (pool == NULL || ferry_spawn_as(ferry_pool_loop(pool, fall->loop), fall->fn, NULL, &options) == NULL)
        _exit(90);
    (void)ferry_pool_run(pool);
    _exit(91);
}

static unsigned sink;

static unsigned recurse(unsigned depth)
{
    volatile char frame[512];
    frame[depth % sizeof frame] = (char)depth;
    unsigned below = depth < UINT32_MAX ? recurse(depth + 1) : 0; /* it never gets there */
    return below + (unsigned)frame[depth % sizeof frame];
}

static void overflow(void *arg)
{
    (void)arg;
    sink = recurse(0);
}

static void overflow_later(void *arg)
{
    (void)arg;
    ferry_yield();
    overflow(arg);
}

static void it_names_the_coroutine(void)
{
    child_expect_abort(run, &(struct fall){.fn = overflow, .name = "the deep one"},
                       "ferry: coroutine the deep one overflowed its stack of 65536 bytes\n");
    child_expect_abort(run, &(struct fall){.fn = overflow_later, .name = "later", .stack_size = 128 * 1024},
                       "ferry: coroutine later overflowed its stack of 131072 bytes\n");
    char sentence[100];
    (void)snprintf(sentence, sizeof sentence, "ferry: coroutine %p overflowed", (void *)(uintptr_t)overflow);
    child_expect_abort(run, &(struct fall){.fn = overflow}, sentence);
}

/* Its thread was started by the library, with signals blocked that are for others. */
static void on_each_loop(void)
{
    for (unsigned loop = 0; loop < 3; loop++) {
        case_row("loop %u", loop);
        child_expect_abort(run, &(struct fall){.fn = overflow, .name = "the deep one", .loop = loop},
                           "ferry: coroutine the deep one overflowed its stack of 65536 bytes\n");
    }
}

static void fault(void *arg)
{
    volatile int *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)arg;
    *page = 1;
}

/* Ends the process in a way that no tool around it uses for itself. */
static void say_so(int number)
{
    (void)number;
    (void)raise(SIGUSR1);
}

static void another_fault_is_not_ours(void)
{
    char said[65536];
    int status = child_run(run, &(struct fall){.fn = fault, .name = "faulty", .handler = say_so}, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGUSR1);
    assert_null(strstr(said, "ferry: "));
    status = child_run(run, &(struct fall){.fn = fault, .name = "faulty", .handler = SIG_DFL}, said, sizeof said);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_null(strstr(said, "ferry: "));
}

const struct test_case test_cases[] = {
    {"it_names_the_coroutine", it_names_the_coroutine},
    {"on_each_loop", on_each_loop},
    {"another_fault_is_not_ours", another_fault_is_not_ours},
    {NULL, NULL},
};
