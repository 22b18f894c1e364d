/* SPDX-License-Identifier: MIT
 *
 * The threads of workers.h: a list under a lock, and a condition for those who find it empty.
 */
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct work *first, **last;
    unsigned long queued;
    bool ending;
    unsigned count;
    pthread_t threads[];
};

/* NULL when there will be no more. With the lock. */
static struct work *next(workers *w)
{
    while (!w->first && !w->ending)
        pthread_cond_wait(&w->more, &w->lock);
    struct work *work = w->first;
    if (!work)
        return NULL;
    w->first = work->next;
    if (!w->first)
        w->last = &w->first;
    w->queued--;
    return work;
}

static void *serve(void *arg)
{
    workers *w = arg;
    struct work *work;
    pthread_mutex_lock(&w->lock);
    while ((work = next(w))) {
        pthread_mutex_unlock(&w->lock);
        work->run(work);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are for the loops. */
static int start(pthread_t *thread, workers *w)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, serve, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

workers *workers_new(unsigned count)
{
    workers *w = calloc(1, sizeof *w + count * sizeof *w->threads);
    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    w->last = &w->first;
    int error = 0;
    for (; w->count < count && error == 0; w->count += error == 0)
        error = start(&w->threads[w->count], w);
    if (error == 0)
        return w;
    workers_free(w);
    errno = error;
    return NULL;
}

void workers_add(workers *w, struct work *work)
{
    pthread_mutex_lock(&w->lock);
    work->next = NULL;
    *w->last = work;
    w->last = &work->next;
    w->queued++;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
}

unsigned long workers_queue(workers *w)
{
    pthread_mutex_lock(&w->lock);
    unsigned long queued = w->queued;
    pthread_mutex_unlock(&w->lock);
    return queued;
}

void workers_free(workers *w)
{
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->more);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->more);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
