/* SPDX-License-Identifier: MIT
 *
 * loop: the worker threads of a pool. Started one by one, up to a bound, as there are more jobs than idle threads; jobs are
 * taken in order.
 */
#include "loop/worker.h"

#include "sys/sys.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST_THREADS = 4 };

struct fy_workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct fy_job *first, **last;
    unsigned threads, idle;
    unsigned waiting; /* jobs that nobody has taken yet */
    bool ending;
    unsigned long ids[MOST_THREADS];
};

struct fy_workers *fy_workers_new(void)
{
    struct fy_workers *workers = calloc(1, sizeof *workers);
    if (!workers)
        return NULL;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->more, NULL);
    workers->last = &workers->first;
    return workers;
}

static void run(struct fy_job *job)
{
    job->work(job);
    fy_loop_post(job->loop, &job->done);
}

static void *serve(void *arg)
{
    struct fy_workers *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->ending) {
            w->idle++;
            pthread_cond_wait(&w->more, &w->lock);
            w->idle--;
        }
        struct fy_job *job = w->first;
        if (!job)
            break;
        w->first = job->next;
        if (!w->first)
            w->last = &w->first;
        w->waiting--;
        pthread_mutex_unlock(&w->lock);
        run(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* An idle thread is spoken for by a job that waits already, even if it has not woken up yet. */
void fy_workers_submit(struct fy_workers *w, struct fy_job *job)
{
    pthread_mutex_lock(&w->lock);
    if (w->idle <= w->waiting && w->threads < MOST_THREADS && fy_sys_thread(serve, w, &w->ids[w->threads]) == 0)
        w->threads++;
    bool somebody = w->threads > 0;
    if (somebody) {
        job->next = NULL;
        *w->last = job;
        w->last = &job->next;
        w->waiting++;
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
    if (!somebody)
        run(job);
}

void fy_workers_free(struct fy_workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->threads; i++)
        pthread_join((pthread_t)w->ids[i], NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
