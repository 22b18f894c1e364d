/* SPDX-License-Identifier: MIT
 *
 * co: coroutines on a loop.
 *
 *     FREE --spawn--> READY --resume--> RUNNING --park--> PARKED
 *       ^                ^                |  |               |
 *       |                +----------------|--+---- wake -----+
 *       +------------- finish ------------+
 *
 * The loop resumes; a coroutine parks, and so gives the thread back to the loop. There is no switching from one coroutine
 * to another. All but what says otherwise is for the loop's thread.
 *
 * A struct fy_co is never freed before its loop: it is reused, with another generation. A user's handle is the number of
 * the struct and the generation, so one that outlives its coroutine is known for what it is.
 */
#ifndef FY_CO_CO_H
#define FY_CO_CO_H

#include "co/fiber.h"
#include "co/stack.h"
#include "loop/loop.h"

#include <ferry/co.h>
#include <pthread.h>

enum fy_co_state { FY_CO_FREE, FY_CO_READY, FY_CO_RUNNING, FY_CO_PARKED };

enum { FY_STACK_DEFAULT = 64 * 1024 };

struct fy_co {
    atomic_uint generation; /* even: free; odd: in use. Any thread may read it */
    unsigned index;         /* of the struct, in the process */
    ferry_loop *loop;       /* for life */
    enum fy_co_state state;
    bool foreign;  /* belongs to the list of structs that foreign threads spawn from */
    bool serving;  /* a connection's: it ends with its connection */
    bool firm;     /* parked where cancelling has to wait */
    bool posted;   /* its task is on the way */
    bool finished; /* has returned, and is to be reaped */
    bool sampled;  /* its stack was forgotten when it began: what is touched is its own */
    atomic_bool cancelled;
    int result; /* of the wake-up */
    void (*fn)(void *arg);
    void *arg;
    const char *name; /* NULL = none was given */
    size_t stack_size;
    struct fy_stack *stack;
    void *sp;
    struct fy_fiber fiber;
    const char *why;        /* it is parked: the call... */
    const void *what;       /* ...on this, or NULL... */
    uint64_t since;         /* ...from then on, nanoseconds of fy_now_ns() */
    struct fy_timer timer;  /* the deadline of a parked call */
    struct fy_task task;    /* resumes it */
    struct fy_list link;    /* in fy_cos.all, or .free */
    struct fy_list joiners; /* fy_sleeper.link; under fy_cos.lock */
};

/* How deep the coroutines of one entry function have gone. */
struct fy_census {
    void (*fn)(void *arg);
    const char *name;
    uint64_t spawned;
    size_t deepest; /* bytes, by whole pages, of those that were looked at */
};

enum { FY_CENSUS = 64 };

/* The coroutines of a loop. */
struct fy_cos {
    struct fy_stacks stacks;
    struct fy_co *running;
    void *loop_sp; /* the loop's own context, while a coroutine runs */
    struct fy_fiber loop_fiber;
    struct fy_list all, free;
    unsigned count;       /* in `all` */
    pthread_mutex_t lock; /* guards foreign_free, and each coroutine's joiners and end */
    struct fy_list foreign_free;
    struct fy_census census[FY_CENSUS];
};

int fy_cos_init(ferry_loop *loop);  /* 0 or -ENOMEM */
void fy_cos_fini(ferry_loop *loop); /* none may be left, but for those that are abandoned */

/* Spawns on this loop, from it, and runs it at once; NULL = no memory. */
struct fy_co *fy_co_start(ferry_loop *loop, void (*fn)(void *), void *arg, const ferry_spawn_options *options);

/* The running coroutine of this thread, or NULL; or the end of the process with a sentence that names the call. */
struct fy_co *fy_co_self(void);
struct fy_co *fy_co_need(const char *call);

/* Parks the running coroutine until it is woken: the result it was woken with; or -ECANCELED; or -ETIMEDOUT at `due`,
 * in nanoseconds of fy_now_ns(), 0 = none. The firm one is not disturbed by cancelling. */
int fy_co_park(const char *why, const void *what, uint64_t due);
void fy_co_park_firmly(const char *why, const void *what);

/* Gives one that is parked another `due`. */
void fy_co_set_due(struct fy_co *co, uint64_t due);

/* Gives way for a turn, cancelled or not. */
void fy_co_yield(const char *why, const void *what);

/* Wakes one that is parked; it runs later, or (from the loop itself, not from a coroutine) now. No effect on others. */
void fy_co_wake(struct fy_co *co, int result);
void fy_co_resume(struct fy_co *co, int result);

/* Cancels. */
void fy_co_cancel(struct fy_co *co);
void fy_cos_cancel(ferry_loop *loop, bool serving_too); /* all, for stopping */

/* Its handle, and back; any thread. NULL = it has finished. */
ferry_co *fy_co_handle(const struct fy_co *co);

/* Logs those that are still there. */
void fy_cos_report(ferry_loop *loop);

void fy_cos_dump(ferry_loop *loop, FILE *to);

/* Names it, for people. Returns `buf`, or the name it was given. */
const char *fy_co_name(const struct fy_co *co, char *buf, size_t cap);

#endif
