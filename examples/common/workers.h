/* SPDX-License-Identifier: MIT
 *
 * Threads that compute, so that no loop has to: work is done in the order it was added, by whichever thread is free.
 */
#ifndef WORKERS_H
#define WORKERS_H

typedef struct workers workers;

/* Embedded in what there is to do. */
struct work {
    void (*run)(struct work *work); /* on one of the threads; it may free the work */
    struct work *next;
};

/* So many threads. Fails: NULL with errno, as pthread_create(3). */
workers *workers_new(unsigned count);

/* Never waits. Thread: any. */
void workers_add(workers *workers, struct work *work);

/* How much has been added that no thread has begun with. Thread: any. */
unsigned long workers_queue(workers *workers);

/* Ends the threads when all that was added is done. */
void workers_free(workers *workers);

#endif
