/* SPDX-License-Identifier: MIT
 *
 * The search. A node is a place in a schedule where somebody is chosen: a thread, the store buffer of a thread, or one of
 * several answers. The stack of nodes is the schedule; the last node with somebody left to choose gets its next.
 */
#include "explore.h"

#include "co/switch.h"
#include "loop/loop.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACTORS = 2 * THREADS, /* threads, then their store buffers */
    STEPS = 2000,         /* of a schedule; more, and it is taken to go on for ever */
    STACK = 64 * 1024,    /* bytes */
    ARENA = 1 << 20,      /* bytes */
    ALIGN = 16
};

/* What an actor will do next. */
struct step {
    const void *object; /* NULL: nothing that concerns others */
    bool changes, drained;
    bool (*ready)(const void *object, unsigned thread);
    const void *place; /* in the code */
};

struct node {
    unsigned asleep, tried; /* bits of actors: not to be chosen; have been */
    unsigned enabled;
    unsigned chosen, answers; /* answers: 0 = it is actors who are chosen */
};

struct thread {
    void *context;
    ferry_loop *loop; /* its fy_loop_current */
    struct step next;
    bool ended;
    _Alignas(ALIGN) char stack[STACK];
};

static const struct scene *scene;
static struct thread threads[THREADS];
static unsigned count, self;
static bool running;
static void *main_context;
static struct node nodes[STEPS];
static struct step done[STEPS]; /* for the message */
static unsigned depth, known;
static unsigned asleep; /* of the node to come */
static unsigned long schedules, cut;
static _Alignas(ALIGN) char arena[ARENA];
static size_t used;

/* Memory. */

void *explore_malloc(size_t size)
{
    size_t whole = (size + 2 * ALIGN - 1) / ALIGN * ALIGN;
    if (ARENA - used < whole)
        explore_fail("the arena is used up");
    char *memory = arena + used + ALIGN;
    memcpy(arena + used, &size, sizeof size);
    used += whole;
    atomics_allocated(memory, size);
    return memory;
}

void *explore_calloc(size_t n, size_t size)
{
    return memset(explore_malloc(n * size), 0, n * size);
}

void explore_free(void *memory)
{
    size_t size;
    if (!memory)
        return;
    memcpy(&size, (char *)memory - ALIGN, sizeof size);
    atomics_freed(memory, size);
}

/* What threads call. */

unsigned explore_self(void)
{
    return self;
}

bool explore_running(void)
{
    return running;
}

static void leave(void)
{
    struct thread *t = &threads[self];
    t->loop = fy_loop_current;
    fy_switch(&t->context, main_context);
}

static void announce(struct step step)
{
    if (!running)
        return;
    threads[self].next = step;
    leave();
}

/* A loop that looks at the same word again and again is as if it had looked once, and later. */
static bool looks_again(const void *object, bool changes, const void *place)
{
    const struct step *last = &threads[self].next;
    return !changes && !last->changes && last->object == object && last->place == place;
}

void explore_access(const void *object, bool changes, bool drained, const void *place)
{
    if (!looks_again(object, changes, place))
        announce((struct step){object, changes, drained, NULL, place});
}

void explore_step(const void *object, bool changes)
{
    announce((struct step){object, changes, true, NULL, __builtin_return_address(0)});
}

void explore_await(const void *object, bool (*ready)(const void *object, unsigned thread))
{
    announce((struct step){object, true, true, ready, __builtin_return_address(0)});
}

static struct node *new_node(void)
{
    if (depth == STEPS)
        explore_fail("it goes on for ever");
    if (depth == known)
        nodes[known++] = (struct node){0};
    return &nodes[depth++];
}

unsigned explore_choose(unsigned n)
{
    if (!running)
        return 0;
    done[depth] = (struct step){.place = __builtin_return_address(0)};
    struct node *node = new_node();
    node->answers = n;
    return node->chosen;
}

void explore_fail(const char *why, ...)
{
    va_list args;
    va_start(args, why);
    running = false;
    for (unsigned i = 0; i < depth; i++) {
        if (nodes[i].answers)
            printf("    answer %u\n", nodes[i].chosen);
        else
            printf("    %s %u %s %p at %p\n", nodes[i].chosen < count ? "thread" : "the buffer of",
                   nodes[i].chosen % count, done[i].changes ? "changes" : "looks at", done[i].object, done[i].place);
    }
    printf("%s: FAILS in schedule %lu: ", scene->name, schedules + 1);
    vprintf(why, args);
    printf("\n");
    va_end(args);
    exit(1);
}

/* The search. */

static struct step next_of(unsigned actor)
{
    if (actor < count)
        return threads[actor].next;
    return (struct step){.object = atomics_waits(actor - count), .changes = true};
}

static bool enabled(unsigned actor)
{
    if (actor >= count)
        return !atomics_drained(actor - count);
    const struct thread *t = &threads[actor];
    if (t->ended || (t->next.drained && !atomics_drained(actor)))
        return false;
    return !t->next.ready || t->next.ready(t->next.object, actor);
}

static bool independent(unsigned a, unsigned b)
{
    struct step x = next_of(a), y = next_of(b);
    if (a % count == b % count)
        return a != b; /* a thread and its buffer: what minds the order waits until that is empty */
    return !x.object || x.object != y.object || (!x.changes && !y.changes);
}

static void run(unsigned actor)
{
    if (actor >= count) {
        atomics_flush(actor - count);
        return;
    }
    self = actor;
    fy_loop_current = threads[actor].loop;
    fy_switch(&main_context, threads[actor].context);
}

static void begin_thread(void *arg)
{
    struct thread *t = arg;
    scene->threads[t - threads]();
    t->ended = true;
    for (;;)
        leave();
}

static void begin(void)
{
    used = 0;
    depth = 0;
    asleep = 0;
    atomics_begin(count, scene->buffered);
    scene->setup();
    running = true;
    for (unsigned i = 0; i < count; i++) {
        struct thread *t = &threads[i];
        t->ended = false;
        t->loop = NULL;
        t->next = (struct step){.object = NULL};
        t->context = fy_switch_prepare(t->stack + STACK, begin_thread, t);
        run(i);
    }
}

static unsigned all_enabled(void)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < 2 * count; i++)
        bits |= enabled(i) ? 1U << i : 0;
    return bits;
}

/* False: nobody is left whose turn has not been seen elsewhere. */
static bool choose(struct node *node, bool is_new)
{
    if (!is_new)
        return true;
    node->enabled = all_enabled();
    node->asleep = asleep;
    unsigned left = node->enabled & ~asleep;
    if (left == 0)
        return false;
    node->chosen = (unsigned)__builtin_ctz(left);
    return true;
}

/* Who sleeps at the next node: whose step has been, or will be, seen in front of this one, and does not mind the order. */
static unsigned still_asleep(const struct node *node)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < 2 * count; i++)
        if (((node->asleep | node->tried) & (1U << i)) && i != node->chosen && independent(i, node->chosen))
            bits |= 1U << i;
    return bits;
}

static void check_end(void)
{
    running = false;
    for (unsigned i = 0; i < count; i++)
        if (!threads[i].ended && !(scene->daemons & (1U << i)))
            explore_fail("thread %u waits for ever", i);
    scene->check();
    schedules++;
}

static void run_schedule(void)
{
    begin();
    while (all_enabled()) {
        bool is_new = depth == known;
        struct node *node = new_node();
        if (!choose(node, is_new)) {
            depth--;
            known--;
            cut++;
            running = false;
            return;
        }
        done[depth - 1] = next_of(node->chosen);
        asleep = still_asleep(node);
        run(node->chosen);
    }
    check_end();
}

/* Goes to the next schedule; false: there is none. */
static bool advance(void)
{
    for (; known > 0; known--) {
        struct node *node = &nodes[known - 1];
        if (node->answers) {
            if (++node->chosen < node->answers)
                return true;
            continue;
        }
        node->tried |= 1U << node->chosen;
        unsigned left = node->enabled & ~node->asleep & ~node->tried;
        if (left) {
            node->chosen = (unsigned)__builtin_ctz(left);
            return true;
        }
    }
    return false;
}

void explore(const struct scene *wanted)
{
    scene = wanted;
    schedules = cut = 0;
    known = 0;
    for (count = 0; count < THREADS && scene->threads[count];)
        count++;
    do
        run_schedule();
    while (advance());
    printf("%s: %lu schedules, and %lu that were like others before their end\n", scene->name, schedules, cut);
}
