/* SPDX-License-Identifier: MIT
 *
 * bench: plain threads that feed one connection; see feeders.h.
 */
#include "feeders.h"

#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { MESSAGE = 64, PENDING_MAX = 1 << 20, FEEDERS_MAX = 64 };

struct feeders {
    ferry_conn *conn;
    atomic_bool stop;
    int count;
    pthread_t threads[FEEDERS_MAX];
};

static void *feed(void *arg)
{
    feeders *all = arg;
    char message[MESSAGE] = "";
    while (!atomic_load_explicit(&all->stop, memory_order_relaxed)) {
        if (ferry_conn_pending(all->conn) < PENDING_MAX)
            ferry_send(all->conn, message, sizeof message);
        else
            usleep(50);
    }
    return NULL;
}

feeders *feeders_start(ferry_conn *conn, int count)
{
    feeders *all = calloc(1, sizeof *all);
    if (!all || count < 1 || count > FEEDERS_MAX)
        errx(1, "cannot have %d feeders", count);
    all->conn = ferry_conn_ref(conn);
    all->count = count;
    for (int i = 0; i < count; i++) {
        if (pthread_create(&all->threads[i], NULL, feed, all) != 0)
            errx(1, "cannot start a feeder");
    }
    return all;
}

void feeders_stop(feeders *all)
{
    atomic_store(&all->stop, true);
    for (int i = 0; i < all->count; i++)
        pthread_join(all->threads[i], NULL);
    ferry_conn_unref(all->conn);
    free(all);
}
