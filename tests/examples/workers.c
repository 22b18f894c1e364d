/* SPDX-License-Identifier: MIT
 *
 * The workers: everything that is added is done, once, in order, and before they end.
 */
#include "workers.h"

#include "case.h"

#include <pthread.h>
#include <stdlib.h>

enum { TASKS = 10000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool open_gate;
static unsigned inside;
static size_t done;

typedef struct task {
    struct work work;
    size_t done_as;
} task;

static void run(struct work *work)
{
    task *t = (task *)work;
    pthread_mutex_lock(&lock);
    t->done_as = done++;
    pthread_mutex_unlock(&lock);
}

/* Holds its thread until the gate opens. */
static void wait_gate(struct work *work)
{
    (void)work;
    pthread_mutex_lock(&lock);
    inside++;
    pthread_cond_broadcast(&changed);
    while (!open_gate)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void hold_all(workers *w, struct work *works, unsigned count)
{
    open_gate = false;
    inside = 0;
    done = 0;
    for (unsigned i = 0; i < count; i++) {
        works[i].run = wait_gate;
        workers_add(w, &works[i]);
    }
    pthread_mutex_lock(&lock);
    while (inside < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static void open_it(void)
{
    pthread_mutex_lock(&lock);
    open_gate = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static task *add_tasks(workers *w, size_t count)
{
    task *tasks = calloc(count, sizeof *tasks);
    assert_non_null(tasks);
    for (size_t i = 0; i < count; i++) {
        tasks[i].work.run = run;
        workers_add(w, &tasks[i].work);
    }
    return tasks;
}

static void one_thread_keeps_the_order(void)
{
    struct work gate;
    workers *w = workers_new(1);
    assert_non_null(w);
    hold_all(w, &gate, 1);
    task *tasks = add_tasks(w, scale(TASKS));
    assert_int_equal(workers_queue(w), scale(TASKS));
    open_it();
    workers_free(w);
    for (size_t i = 0; i < scale(TASKS); i++)
        assert_int_equal(tasks[i].done_as, i);
    free(tasks);
}

/* As many at once as there are threads: each of the three waits for the others. */
static void threads_work_at_the_same_time(void)
{
    struct work gates[3];
    workers *w = workers_new(3);
    assert_non_null(w);
    hold_all(w, gates, 3);
    assert_int_equal(workers_queue(w), 0);
    task *tasks = add_tasks(w, scale(TASKS));
    open_it();
    workers_free(w);
    assert_int_equal(done, scale(TASKS));
    free(tasks);
}

static void idle_ones_end(void)
{
    workers *w = workers_new(3);
    assert_non_null(w);
    workers_free(w);
}

const struct test_case test_cases[] = {
    {"one_thread_keeps_the_order", one_thread_keeps_the_order},
    {"threads_work_at_the_same_time", threads_work_at_the_same_time},
    {"idle_ones_end", idle_ones_end},
    {NULL, NULL},
};
