/* SPDX-License-Identifier: MIT
 *
 * co: wait groups, for any coroutines and threads; mutexes and conditions, for the coroutines of one loop.
 */
#include "base/log.h"
#include "co/sleep.h"

#include <errno.h>
#include <ferry/sync.h>
#include <stdlib.h>

struct ferry_wait_group {
    pthread_mutex_t lock;
    struct fy_list sleepers;
    unsigned count;
};

ferry_wait_group *ferry_wait_group_new(void)
{
    ferry_wait_group *group = calloc(1, sizeof *group);
    if (!group)
        return NULL;
    pthread_mutex_init(&group->lock, NULL);
    fy_list_init(&group->sleepers);
    return group;
}

void ferry_wait_group_free(ferry_wait_group *group)
{
    if (!group)
        return;
    pthread_mutex_lock(&group->lock); /* the last ferry_wait_group_done() may not have let go of it yet */
    pthread_mutex_unlock(&group->lock);
    pthread_mutex_destroy(&group->lock);
    free(group);
}

void ferry_wait_group_add(ferry_wait_group *group, unsigned count)
{
    pthread_mutex_lock(&group->lock);
    group->count += count;
    pthread_mutex_unlock(&group->lock);
}

void ferry_wait_group_done(ferry_wait_group *group)
{
    pthread_mutex_lock(&group->lock);
    if (group->count == 0)
        fy_fatal("ferry_wait_group_done: more often than was added");
    if (--group->count == 0)
        fy_wake_all(&group->sleepers);
    pthread_mutex_unlock(&group->lock);
}

int ferry_wait_group_wait(ferry_wait_group *group)
{
    int result = 0;
    pthread_mutex_lock(&group->lock);
    if (group->count > 0)
        result = fy_sleep(&group->sleepers, &group->lock, "ferry_wait_group_wait", group);
    pthread_mutex_unlock(&group->lock);
    return result;
}

/* Of one loop: no lock, only a queue. */

struct turn {
    struct fy_list link;
    struct fy_co *co;
    bool given;
};

static int wait_turn(struct fy_list *queue, const char *call, const void *what)
{
    struct turn turn = {.co = fy_co_need(call)};
    fy_list_append(queue, &turn.link);
    int result = fy_co_park(call, what, 0);
    fy_list_remove(&turn.link);
    return turn.given ? 0 : result;
}

static bool give_turn(struct fy_list *queue)
{
    struct fy_list *node = fy_list_take(queue);
    if (!node)
        return false;
    struct turn *turn = FY_CONTAINER(node, struct turn, link);
    turn->given = true;
    fy_co_wake(turn->co, 0);
    return true;
}

struct ferry_mutex {
    struct fy_co *owner;
    struct fy_list queue;
};

ferry_mutex *ferry_mutex_new(void)
{
    ferry_mutex *mutex = calloc(1, sizeof *mutex);
    if (mutex)
        fy_list_init(&mutex->queue);
    return mutex;
}

void ferry_mutex_free(ferry_mutex *mutex)
{
    if (mutex && mutex->owner)
        fy_fatal("ferry_mutex_free: it is locked");
    free(mutex);
}

/* Unlocking hands it to the first in the queue, so nobody comes in between. */
static struct fy_co *first_of(const struct fy_list *queue)
{
    return fy_list_empty(queue) ? NULL : FY_CONTAINER(queue->next, struct turn, link)->co;
}

int ferry_mutex_lock(ferry_mutex *mutex)
{
    struct fy_co *self = fy_co_need("ferry_mutex_lock");
    if (mutex->owner == self)
        fy_fatal("ferry_mutex_lock: this coroutine has locked it already");
    if (mutex->owner)
        return wait_turn(&mutex->queue, "ferry_mutex_lock", mutex);
    mutex->owner = self;
    return 0;
}

void ferry_mutex_unlock(ferry_mutex *mutex)
{
    if (mutex->owner != fy_co_need("ferry_mutex_unlock"))
        fy_fatal("ferry_mutex_unlock: this coroutine has not locked it");
    mutex->owner = first_of(&mutex->queue);
    give_turn(&mutex->queue);
}

struct ferry_cond {
    struct fy_list queue;
};

ferry_cond *ferry_cond_new(void)
{
    ferry_cond *cond = calloc(1, sizeof *cond);
    if (cond)
        fy_list_init(&cond->queue);
    return cond;
}

void ferry_cond_free(ferry_cond *cond)
{
    free(cond);
}

/* The mutex is had again even when cancelled: the caller's cleanup relies on it. */
static void lock_firmly(ferry_mutex *mutex)
{
    struct turn turn = {.co = fy_co_need("ferry_cond_wait")};
    if (!mutex->owner) {
        mutex->owner = turn.co;
        return;
    }
    fy_list_append(&mutex->queue, &turn.link);
    while (!turn.given)
        fy_co_park_firmly("ferry_cond_wait", mutex);
}

int ferry_cond_wait(ferry_cond *cond, ferry_mutex *mutex)
{
    ferry_mutex_unlock(mutex);
    int result = wait_turn(&cond->queue, "ferry_cond_wait", cond);
    lock_firmly(mutex);
    return result;
}

void ferry_cond_signal(ferry_cond *cond)
{
    give_turn(&cond->queue);
}

void ferry_cond_broadcast(ferry_cond *cond)
{
    while (give_turn(&cond->queue))
        ;
}
