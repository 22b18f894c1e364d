/* SPDX-License-Identifier: MIT
 *
 * loop: functions posted by the user.
 *
 * A post must not fail, so a few tasks are set aside for when memory is out. A foreign thread waits for one of them to
 * come back; the loop's own thread cannot, since it is the one that brings them back.
 */
#include "base/log.h"
#include "loop/loop.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

struct post {
    struct fy_task task;
    void (*fn)(void *);
    void *arg;
    struct post *next_free; /* in the reserve */
    bool reserved;          /* belongs to the reserve */
};

enum { RESERVE = 64 };

static struct {
    pthread_mutex_t lock;
    struct post posts[RESERVE];
    struct post *free;
    bool ready;
} reserve = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct post *take_reserved(void)
{
    pthread_mutex_lock(&reserve.lock);
    for (int i = 0; !reserve.ready && i < RESERVE; i++) {
        reserve.posts[i] = (struct post){.reserved = true, .next_free = reserve.free};
        reserve.free = &reserve.posts[i];
    }
    reserve.ready = true;
    struct post *post = reserve.free;
    if (post)
        reserve.free = post->next_free;
    pthread_mutex_unlock(&reserve.lock);
    return post;
}

static void give_back(struct post *post)
{
    if (!post->reserved) {
        free(post);
        return;
    }
    pthread_mutex_lock(&reserve.lock);
    post->next_free = reserve.free;
    reserve.free = post;
    pthread_mutex_unlock(&reserve.lock);
}

static struct post *new_post(const ferry_loop *loop)
{
    for (;;) {
        struct post *post = malloc(sizeof *post);
        if (post) {
            post->reserved = false;
            return post;
        }
        post = take_reserved();
        if (post)
            return post;
        if (fy_loop_here(loop))
            fy_fatal("ferry_post: no memory, and the reserve of %d posts is used up", (int)RESERVE);
        sched_yield();
    }
}

static void run_post(struct fy_task *task)
{
    struct post *post = FY_CONTAINER(task, struct post, task);
    void (*fn)(void *) = post->fn;
    void *arg = post->arg;
    give_back(post);
    fy_loop_does(fy_loop_current, "post", NULL, (const void *)(uintptr_t)fn);
    fn(arg);
}

void ferry_post(ferry_loop *loop, void (*fn)(void *), void *arg)
{
    struct post *post = new_post(loop);
    post->task.run = run_post;
    post->fn = fn;
    post->arg = arg;
    fy_loop_post(loop, &post->task);
}
