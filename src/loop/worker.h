/* SPDX-License-Identifier: MIT
 *
 * loop: work that blocks (a cold disk, a name server) goes to a few threads of the pool; its end comes back to the loop.
 */
#ifndef FY_LOOP_WORKER_H
#define FY_LOOP_WORKER_H

#include "loop/loop.h"

struct fy_job {
    void (*work)(struct fy_job *); /* on a worker thread */
    struct fy_task done;           /* posted to `loop` after it; set by the owner */
    ferry_loop *loop;
    struct fy_job *next;
};

struct fy_workers *fy_workers_new(void);          /* no thread is started before the first job; NULL = ENOMEM */
void fy_workers_free(struct fy_workers *workers); /* waits for the jobs under way */

/* Queues a job. When no thread can be started it is done at once, here: slow, but done. Any thread. */
void fy_workers_submit(struct fy_workers *workers, struct fy_job *job);

#endif
