/* SPDX-License-Identifier: MIT
 *
 * Threads that take turns, and the clock. The seed decides whose turn is next; when nobody can go on the clock moves to the
 * next thing that will happen, and when nothing will, that is a deadlock.
 */
#include "sim.h"

#include "co/fiber.h"
#include "co/switch.h"
#include "loop/loop.h"
#include "pattern.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 64, STACK = 512 * 1024, MOST_STEPS = 3 * 1000 * 1000, STEP_NS = 3000, STALL_NS = 2 * SIM_MS };

enum state { FREE, READY, WAITING, OVER };

struct thread {
    const char *name;
    void *(*run)(void *);
    void *arg;
    const void *waits_for;
    uint64_t until;
    void *sp;
    ferry_loop *loop; /* what fy_loop_current, and errno, are on it */
    int error;
    enum state state;
    bool late; /* the time came, and nobody woke it */
    bool inside;
    struct fy_fiber fiber;
};

static struct thread threads[THREADS];
static struct thread *running, *before; /* whose turn it is, and was */
static unsigned thread_count;
static uint64_t now, chances;
static uint64_t turn_length, block_length; /* steps, and basic blocks, from one turn to the next, about */
static uint64_t stall_length;              /* steps from one to the next that is long in coming; 0 = none is */
static int64_t patience = INT64_MAX;       /* basic blocks */
static bool switching;

struct sim_result *sim_result;
bool sim_traced;

uint64_t sim_random(uint64_t limit)
{
    return random_below(&chances, limit);
}

bool sim_one_in(uint64_t n)
{
    return n > 0 && sim_random(n) == 0;
}

uint64_t sim_size(uint64_t most)
{
    uint64_t bits = 1;
    while (bits < 63 && (most >> bits) > 0)
        bits++;
    uint64_t size = 1 + sim_random(UINT64_C(1) << sim_random(bits + 1));
    return size < most ? size : most;
}

void sim_reached(enum sim_state state)
{
    sim_result->reached |= UINT64_C(1) << state;
}

uint64_t sim_now(void)
{
    return now;
}

bool *sim_inside(void)
{
    return &running->inside;
}

static void tell_threads(void)
{
    for (unsigned i = 0; i < thread_count; i++) {
        const struct thread *t = &threads[i];
        const char *const states[] = {"free", "ready", "waiting", "over"};
        if (t->state != OVER)
            fprintf(stderr, "    %u %s: %s%s\n", i, t->name, states[t->state],
                    t->state == WAITING && t->until < UINT64_MAX ? ", for a while" : "");
    }
}

void sim_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(sim_result->why, sizeof sim_result->why, format, args);
    va_end(args);
    if (sim_traced) {
        fprintf(stderr, "%s\n", sim_result->why);
        tell_threads();
        sim_fd_dump();
    }
    _exit(1);
}

/* FNV-1a (draft-eastlake-fnv), by words. */
static void mix(uint64_t value)
{
    sim_result->hash = (sim_result->hash ^ value) * UINT64_C(1099511628211);
}

void sim_note(const char *what, uint64_t a, uint64_t b)
{
    for (const char *c = what; *c; c++)
        mix((unsigned char)*c);
    mix((uint64_t)(running - threads));
    mix(now);
    mix(a);
    mix(b);
    if (sim_traced)
        fprintf(stderr, "%9llu us  %-12s %s %lld %lld\n", (unsigned long long)(now / 1000), running->name, what,
                (long long)a, (long long)b);
}

/* Switching. */

static void go_on_with(struct thread *next)
{
    struct thread *self = running;
    if (next == self)
        return;
    self->error = errno;
    self->loop = fy_loop_current;
    before = self;
    running = next;
    fy_fiber_leave(&self->fiber, &next->fiber, self->state == OVER);
    fy_switch(&self->sp, next->sp);
    fy_fiber_arrive(&self->fiber, &before->fiber);
    fy_loop_current = self->loop;
    errno = self->error;
}

static unsigned count_ready(void)
{
    unsigned ready = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        struct thread *t = &threads[i];
        if (t->state == WAITING && t->until <= now) {
            t->late = true;
            t->state = READY;
        }
        ready += t->state == READY;
    }
    return ready;
}

static struct thread *nth_ready(uint64_t n)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].state == READY && n-- == 0)
            return &threads[i];
    abort();
}

static uint64_t next_time(void)
{
    uint64_t next = sim_net_next();
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].state == WAITING && threads[i].until < next)
            next = threads[i].until;
    return next;
}

static struct thread *choose(void)
{
    for (;;) {
        sim_net_run();
        unsigned ready = count_ready();
        if (ready > 0)
            return nth_ready(ready == 1 ? 0 : sim_random(ready));
        uint64_t next = next_time();
        if (next == UINT64_MAX)
            sim_fail("a deadlock: nobody can go on, and nothing will happen");
        now = next > now ? next : now;
    }
}

static void draw_patience(void)
{
    patience = (int64_t)sim_size(block_length * 2);
}

static void count_step(void)
{
    if (++sim_result->steps > MOST_STEPS)
        sim_fail("no end after %d steps", (int)MOST_STEPS);
}

void sim_step(const char *what, uint64_t a, uint64_t b)
{
    now += 1 + sim_random(STEP_NS);
    count_step();
    sim_note(what, a, b);
    if (sim_one_in(stall_length))
        sim_sleep(sim_size(STALL_NS));
    else if (sim_one_in(turn_length))
        go_on_with(choose());
}

/* Called before each basic block of the library. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    if (--patience > 0)
        return;
    draw_patience();
    if (switching || !running)
        return;
    now += sim_random(STEP_NS / 10);
    struct thread *next = choose();
    if (next == running)
        return;
    count_step();
    sim_note("preempted for", (uint64_t)(next - threads), 0);
    sim_reached(SIM_PREEMPTED);
    go_on_with(next);
}

#ifdef FY_ASAN
/* Between the two calls the library is on no stack, as ASan sees it, and must not lose its turn. */
void sim_start_switch_fiber(void **save, const void *bottom, size_t size);
void sim_finish_switch_fiber(void *save, const void **bottom, size_t *size);

void sim_start_switch_fiber(void **save, const void *bottom, size_t size)
{
    switching = true;
    __sanitizer_start_switch_fiber(save, bottom, size);
}

void sim_finish_switch_fiber(void *save, const void **bottom, size_t *size)
{
    __sanitizer_finish_switch_fiber(save, bottom, size);
    switching = false;
}
#endif

/* Waiting. */

bool sim_wait(const void *on, uint64_t until)
{
    struct thread *self = running;
    self->state = WAITING;
    self->waits_for = on;
    self->until = until;
    self->late = false;
    go_on_with(choose());
    self->waits_for = NULL;
    return !self->late;
}

void sim_wake(const void *on)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].state == WAITING && threads[i].waits_for == on)
            threads[i].state = READY;
}

void sim_wake_one(const void *on)
{
    unsigned first = (unsigned)sim_random(thread_count);
    for (unsigned i = 0; i < thread_count; i++) {
        struct thread *t = &threads[(first + i) % thread_count];
        if (t->state == WAITING && t->waits_for == on) {
            t->state = READY;
            return;
        }
    }
}

void sim_sleep(uint64_t ns)
{
    uint64_t until = now + ns;
    while (now < until)
        sim_wait(NULL, until);
}

/* Beginning and ending. */

static void begin(void *arg)
{
    struct thread *self = arg;
    fy_fiber_arrive(&self->fiber, &before->fiber);
    fy_loop_current = NULL;
    self->run(self->arg);
    sim_note("ends", 0, 0);
    self->state = OVER;
    sim_wake(self);
    go_on_with(choose());
    abort();
}

unsigned sim_spawn(const char *name, void *(*run)(void *), void *arg)
{
    if (thread_count == THREADS)
        sim_fail("more than %d threads", (int)THREADS);
    struct thread *t = &threads[thread_count++];
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        sim_fail("no memory for a stack");
    *t = (struct thread){.name = name, .run = run, .arg = arg, .state = READY};
    fy_fiber_stack(stack, stack + STACK);
    fy_fiber_init(&t->fiber, stack, STACK);
    t->sp = fy_switch_prepare(stack + STACK, begin, t);
    return (unsigned)(t - threads);
}

void sim_join(unsigned thread)
{
    while (threads[thread].state != OVER)
        sim_wait(&threads[thread], UINT64_MAX);
}

/* How often turns change differs a lot from seed to seed: some mistakes need a storm, some a thread that is left alone. */
void sim_begin(uint64_t seed, struct sim_result *result)
{
    static const uint64_t turns[] = {1, 2, 4, 16}, blocks[] = {16, 100, 500, 2000, 20000, 500000},
                          stalls[] = {0, 0, 400, 50};
    sim_result = result;
    sim_result->hash = UINT64_C(14695981039346656037);
    chances = seed;
    chances = random_next(&chances);
    now = UINT64_C(1000) * 1000 * 1000 * 1000;
    threads[0] = (struct thread){.name = "main", .state = READY};
    thread_count = 1;
    running = &threads[0];
    fy_fiber_of_thread(&running->fiber);
    turn_length = turns[sim_random(sizeof turns / sizeof *turns)];
    stall_length = stalls[sim_random(sizeof stalls / sizeof *stalls)];
    block_length = blocks[sim_random(sizeof blocks / sizeof *blocks)];
    draw_patience();
}
