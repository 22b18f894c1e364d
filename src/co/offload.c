/* SPDX-License-Identifier: MIT
 *
 * co: blocking work on the pool's worker threads (loop/worker.c), from coroutines and from callbacks.
 */
#include "co/co.h"
#include "loop/worker.h"

#include <errno.h>
#include <stdlib.h>

/* From a coroutine: all of it stands on its stack, so it stays until the work is done. */
struct offload {
    struct fy_job job;
    struct fy_co *co;
    void (*fn)(void *arg);
    void *arg;
    bool done;
};

static void work(struct fy_job *job)
{
    struct offload *o = FY_CONTAINER(job, struct offload, job);
    o->fn(o->arg);
}

static void back(struct fy_task *task)
{
    struct offload *o = FY_CONTAINER(task, struct offload, job.done);
    o->done = true;
    fy_co_wake(o->co, 0);
}

int ferry_offload(void (*fn)(void *arg), void *arg)
{
    struct fy_co *co = fy_co_need("ferry_offload");
    if (atomic_load_explicit(&co->cancelled, memory_order_relaxed))
        return -ECANCELED;
    struct offload o = {.job = {.work = work, .done.run = back, .loop = co->loop}, .co = co, .fn = fn, .arg = arg};
    fy_workers_submit(co->loop->workers, &o.job);
    while (!o.done)
        fy_co_park_firmly("ferry_offload", NULL);
    return 0;
}

/* From anywhere. */
struct errand {
    struct fy_job job;
    void (*fn)(void *arg);
    void (*done)(void *arg);
    void *arg;
};

static void run_errand(struct fy_job *job)
{
    struct errand *e = FY_CONTAINER(job, struct errand, job);
    e->fn(e->arg);
}

static void errand_done(struct fy_task *task)
{
    struct errand *e = FY_CONTAINER(task, struct errand, job.done);
    void (*done)(void *) = e->done;
    void *arg = e->arg;
    free(e);
    if (done)
        done(arg);
}

int ferry_offload_then(ferry_loop *loop, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
    struct errand *e = malloc(sizeof *e);
    if (!e)
        return -ENOMEM;
    *e = (struct errand){
        .job = {.work = run_errand, .done.run = errand_done, .loop = loop}, .fn = fn, .done = done, .arg = arg};
    fy_workers_submit(loop->workers, &e->job);
    return 0;
}
