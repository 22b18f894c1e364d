/* SPDX-License-Identifier: MIT
 *
 * co: waiting for something that any thread may bring about.
 */
#include "co/sleep.h"

#include <errno.h>

/* On the loop of the coroutine, which is still asleep, or just about to notice that it was woken. */
static void arrive(struct fy_task *task)
{
    struct fy_sleeper *sleeper = FY_CONTAINER(task, struct fy_sleeper, news);
    sleeper->arrived = true;
    fy_co_wake(sleeper->co, 0);
}

static int park(struct fy_sleeper *s, pthread_mutex_t *lock, const char *why, const void *what)
{
    pthread_mutex_unlock(lock);
    int result = fy_co_park(why, what, 0);
    pthread_mutex_lock(lock);
    if (!s->woken) {
        fy_list_remove(&s->link);
        return result;
    }
    while (!s->arrived) { /* cancelled, but the news is on its way, and it is news of something */
        pthread_mutex_unlock(lock);
        fy_co_park_firmly(why, what);
        pthread_mutex_lock(lock);
    }
    return 0;
}

static void block(struct fy_sleeper *s, pthread_mutex_t *lock)
{
    pthread_cond_init(&s->cond, NULL);
    while (!s->woken)
        pthread_cond_wait(&s->cond, lock);
    pthread_cond_destroy(&s->cond);
}

int fy_sleep(struct fy_list *sleepers, pthread_mutex_t *lock, const char *why, const void *what)
{
    struct fy_sleeper sleeper = {.co = fy_co_self(), .news.run = arrive};
    if (!sleeper.co && fy_loop_current)
        return -EDEADLK;
    fy_list_append(sleepers, &sleeper.link);
    if (sleeper.co)
        return park(&sleeper, lock, why, what);
    block(&sleeper, lock);
    return 0;
}

bool fy_wake_first(struct fy_list *sleepers)
{
    struct fy_list *node = fy_list_take(sleepers);
    if (!node)
        return false;
    struct fy_sleeper *sleeper = FY_CONTAINER(node, struct fy_sleeper, link);
    sleeper->woken = true;
    if (sleeper->co)
        fy_loop_post(sleeper->co->loop, &sleeper->news);
    else
        pthread_cond_signal(&sleeper->cond);
    return true;
}

void fy_wake_all(struct fy_list *sleepers)
{
    while (fy_wake_first(sleepers))
        ;
}
