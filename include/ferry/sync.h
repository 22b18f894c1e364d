/* SPDX-License-Identifier: MIT
 *
 * Waiting for each other: wait groups and channels, between any coroutines and threads; mutexes and conditions, between the
 * coroutines of one loop. Where a coroutine parks, a thread that runs no loop blocks; a callback must do neither: -EDEADLK.
 */
#ifndef FERRY_SYNC_H
#define FERRY_SYNC_H

#include <ferry/error.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A wait group counts what is under way. Thread: any; waiting: coroutine, or a thread without a loop. */
typedef struct ferry_wait_group ferry_wait_group;
FERRY_API ferry_wait_group *ferry_wait_group_new(void);        /* NULL with ENOMEM */
FERRY_API void ferry_wait_group_free(ferry_wait_group *group); /* nobody may be waiting; NULL is allowed */
FERRY_API void ferry_wait_group_add(ferry_wait_group *group, unsigned count);
FERRY_API void ferry_wait_group_done(ferry_wait_group *group);
FERRY_API int ferry_wait_group_wait(ferry_wait_group *group); /* until the count is 0: 0, or -ECANCELED */

/* A channel carries items of one size, in order, through a buffer of `capacity` items (at least 1).
 * Thread: any; where it parks or blocks: coroutine, or a thread without a loop. */
typedef struct ferry_channel ferry_channel;
FERRY_API ferry_channel *ferry_channel_new(size_t item_size, size_t capacity);  /* NULL with ENOMEM, EINVAL */
FERRY_API void ferry_channel_free(ferry_channel *channel);                      /* nobody may be waiting */
FERRY_API int ferry_channel_send(ferry_channel *channel, const void *item);     /* 0, -EPIPE (closed), -ECANCELED */
FERRY_API int ferry_channel_try_send(ferry_channel *channel, const void *item); /* 0, -EPIPE, -EAGAIN; never waits */
FERRY_API int ferry_channel_recv(ferry_channel *channel, void *item);     /* 1; 0 = closed and empty; -ECANCELED */
FERRY_API int ferry_channel_try_recv(ferry_channel *channel, void *item); /* 1, 0, -EAGAIN; never waits */
FERRY_API void ferry_channel_close(ferry_channel *channel); /* no more is sent; what is in it is still received */

/* A mutex for coroutines of one loop that hold something across a parking call; first come, first served. */
typedef struct ferry_mutex ferry_mutex;
FERRY_API ferry_mutex *ferry_mutex_new(void); /* NULL with ENOMEM */
FERRY_API void ferry_mutex_free(ferry_mutex *mutex);
FERRY_API int ferry_mutex_lock(ferry_mutex *mutex); /* 0, or -ECANCELED: not locked */
FERRY_API void ferry_mutex_unlock(ferry_mutex *mutex);

/* A condition for coroutines of one loop. Waiting gives the mutex up and has it again on return, also when it fails. */
typedef struct ferry_cond ferry_cond;
FERRY_API ferry_cond *ferry_cond_new(void); /* NULL with ENOMEM */
FERRY_API void ferry_cond_free(ferry_cond *cond);
FERRY_API int ferry_cond_wait(ferry_cond *cond, ferry_mutex *mutex); /* 0, or -ECANCELED */
FERRY_API void ferry_cond_signal(ferry_cond *cond);                  /* wakes the one who has waited longest */
FERRY_API void ferry_cond_broadcast(ferry_cond *cond);

#ifdef __cplusplus
}
#endif

#endif
