/* SPDX-License-Identifier: MIT
 *
 * bench: coroutines by themselves: what a switch costs, beside ucontext's and Boost.Context's in the same run, and what a
 * coroutine costs from spawn to finish. Five rounds, medians.
 */
#include "bench.h"
#include "co/switch.h"

#include <ferry/ferry.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

enum { ROUNDS = 5, SWITCHES = 2000000, SPAWNS = 1000000, BATCH = 100, STACK = 65536 };

/* There and back is two switches. */
static double each(double start)
{
    return (bench_now() - start) * 1e9 / (2.0 * SWITCHES);
}

static void *here, *there;

static void bounce(void *arg)
{
    (void)arg;
    for (;;)
        fy_switch(&there, here);
}

static double ferry_switches(char *stack)
{
    there = fy_switch_prepare(stack + STACK, bounce, NULL);
    double start = bench_now();
    for (int i = 0; i < SWITCHES; i++)
        fy_switch(&here, there);
    return each(start);
}

static ucontext_t here_uc, there_uc;

static void bounce_uc(void)
{
    for (;;)
        swapcontext(&there_uc, &here_uc);
}

static double ucontext_switches(char *stack)
{
    getcontext(&there_uc);
    there_uc.uc_stack.ss_sp = stack;
    there_uc.uc_stack.ss_size = STACK;
    makecontext(&there_uc, bounce_uc, 0);
    double start = bench_now();
    for (int i = 0; i < SWITCHES / 10; i++) /* it makes two system calls a switch */
        swapcontext(&here_uc, &there_uc);
    return each(start) * 10;
}

#ifdef BENCH_BOOST
/* Boost.Context's C interface, as boost/context/detail/fcontext.hpp has it. */
typedef struct transfer {
    void *context, *data;
} transfer;
extern transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *top, size_t size, void (*fn)(transfer));

static void bounce_boost(transfer from)
{
    for (;;)
        from = jump_fcontext(from.context, NULL);
}

static double boost_switches(char *stack)
{
    transfer to = {make_fcontext(stack + STACK, STACK, bounce_boost), NULL};
    double start = bench_now();
    for (int i = 0; i < SWITCHES; i++)
        to = jump_fcontext(to.context, NULL);
    return each(start);
}
#endif

static void report(const char *what, double (*measure)(char *), char *stack)
{
    double ns[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        ns[i] = measure(stack);
    printf("%-40s %7.2f ns\n", what, bench_median(ns, ROUNDS));
}

static void nothing(void *arg)
{
    (void)arg;
}

static double spawns(char *stack)
{
    (void)stack;
    double start = bench_now();
    for (int i = 0; i < SPAWNS / BATCH; i++) {
        for (int j = 0; j < BATCH; j++)
            ferry_spawn(ferry_loop_current(), nothing, NULL);
        ferry_yield();
    }
    return (bench_now() - start) * 1e9 / SPAWNS;
}

static double yields(char *stack)
{
    (void)stack;
    double start = bench_now();
    for (int i = 0; i < SPAWNS; i++)
        ferry_yield();
    return (bench_now() - start) * 1e9 / SPAWNS;
}

static void run(void *pool)
{
    report("ferry: spawn, run, finish", spawns, NULL);
    report("ferry: yield alone on its loop (a turn)", yields, NULL);
    ferry_pool_stop(pool);
}

int main(void)
{
    bench_pin(0);
    char *stack = aligned_alloc(16, STACK);
    report("ferry: a switch", ferry_switches, stack);
#ifdef BENCH_BOOST
    report("Boost.Context: a switch", boost_switches, stack);
#else
    printf("Boost.Context is not on this machine\n");
#endif
    report("ucontext: a switch", ucontext_switches, stack);
    free(stack);
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    if (!pool || !ferry_spawn(ferry_pool_loop(pool, 0), run, pool))
        return 1;
    int error = ferry_pool_run(pool);
    ferry_pool_free(pool);
    return error < 0;
}
