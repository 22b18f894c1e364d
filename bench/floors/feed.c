/* SPDX-License-Identifier: MIT
 *
 * floors: one connection fed by threads: lock, append, unlock; and one write a batch, by the thread that owns the socket.
 * What is queued is bounded: who finds too much waits. The first byte that comes says how many threads; the end of the
 * connection stops them.
 */
#include "floor.h"

#include "bench.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE = 64, BATCH = 1 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static char *batch, *other;
static size_t used;
static atomic_bool over;

static void append(const char *message)
{
    pthread_mutex_lock(&lock);
    while (used + MESSAGE > BATCH && !over)
        pthread_cond_wait(&emptied, &lock);
    if (!over) {
        if (used == 0)
            pthread_cond_signal(&filled);
        memcpy(batch + used, message, MESSAGE);
        used += MESSAGE;
    }
    pthread_mutex_unlock(&lock);
}

static void *produce(void *arg)
{
    char message[MESSAGE] = "";
    (void)arg;
    while (!over)
        append(message);
    return NULL;
}

static size_t swap(void)
{
    pthread_mutex_lock(&lock);
    while (used == 0)
        pthread_cond_wait(&filled, &lock);
    size_t len = used;
    char *full = batch;
    batch = other;
    other = full;
    used = 0;
    pthread_cond_broadcast(&emptied);
    pthread_mutex_unlock(&lock);
    return len;
}

static void stop_all(pthread_t *threads, int count)
{
    pthread_mutex_lock(&lock);
    over = true;
    pthread_cond_broadcast(&emptied);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    over = false;
    used = 0;
}

static void feed(int fd)
{
    pthread_t threads[UCHAR_MAX];
    unsigned char count = 0;
    if (recv(fd, &count, 1, 0) != 1)
        return;
    for (int i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, produce, NULL) != 0)
            bench_die("floor: feed");
    }
    size_t len = swap();
    while (send(fd, other, len, MSG_NOSIGNAL) > 0)
        len = swap();
    stop_all(threads, count);
}

int main(void)
{
    int listener = floor_listen();
    batch = malloc(BATCH);
    other = malloc(BATCH);
    if (!batch || !other)
        bench_die("floor: feed");
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        feed(fd);
        close(fd);
    }
}
