/* SPDX-License-Identifier: MIT
 *
 * The table of parking places.
 */
#include "places.h"

#include "case.h"
#include "parked.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>

enum { MUCH = 16 * 1024 * 1024 }; /* more than the kernel holds, and high_water */

static int in_recv(struct visit *visit)
{
    char byte;
    return (int)ferry_recv(visit->conn, &byte, 1);
}

static int in_recv_exact(struct visit *visit)
{
    char bytes[10];
    return (int)ferry_recv_exact(visit->conn, bytes, sizeof bytes);
}

static int in_recv_until(struct visit *visit)
{
    char bytes[10];
    return (int)ferry_recv_until(visit->conn, bytes, sizeof bytes, "\n");
}

static int in_peek(struct visit *visit)
{
    const void *data;
    return (int)ferry_peek(visit->conn, &data);
}

static void send_much(ferry_conn *conn)
{
    char *much = calloc(1, MUCH);
    assert_non_null(much);
    ferry_send(conn, much, MUCH);
    free(much);
}

/* Returns nothing: the next call tells. */
static int in_send(struct visit *visit)
{
    send_much(visit->conn);
    return ferry_flush(visit->conn);
}

static void send_from_outside(void *conn)
{
    send_much(conn); /* not a coroutine: not held back */
}

static int in_flush(struct visit *visit)
{
    ferry_post(ferry_loop_current(), send_from_outside, visit->conn);
    while (ferry_conn_pending(visit->conn) == 0)
        if (ferry_sleep(0) < 0)
            return -EINTR;
    return ferry_flush(visit->conn);
}

static int in_dial(struct visit *visit)
{
    ferry_conn *conn = ferry_dial(visit->scene->deaf_address, 3600 * 1000);
    assert_null(conn);
    return -errno;
}

static int in_sleep(struct visit *visit)
{
    (void)visit;
    return ferry_sleep(3600 * 1000);
}

static int in_yield(struct visit *visit)
{
    (void)visit;
    int result;
    do
        ferry_yield();
    while ((result = ferry_sleep(0)) == 0);
    return result;
}

static int in_join(struct visit *visit)
{
    return ferry_join(visit->scene->holder);
}

static int in_wait_group(struct visit *visit)
{
    return ferry_wait_group_wait(visit->scene->group);
}

static int in_channel_send(struct visit *visit)
{
    return ferry_channel_send(visit->scene->full, &visit->fd);
}

static int in_channel_recv(struct visit *visit)
{
    int item;
    return ferry_channel_recv(visit->scene->empty, &item);
}

static int in_lock(struct visit *visit)
{
    int result = ferry_mutex_lock(visit->scene->mutex);
    if (result == 0)
        ferry_mutex_unlock(visit->scene->mutex);
    return result;
}

/* The mutex is held again afterwards: unlocking one that is not would end the process. */
static int in_cond(struct visit *visit)
{
    assert_int_equal(ferry_mutex_lock(visit->scene->lent), 0);
    int result = ferry_cond_wait(visit->scene->cond, visit->scene->lent);
    ferry_mutex_unlock(visit->scene->lent);
    return result;
}

static void work(void *scene)
{
    count_wait(&((struct scene *)scene)->let_go, 1);
}

static int in_offload(struct visit *visit)
{
    return ferry_offload(work, visit->scene);
}

static void let_go(struct scene *scene)
{
    count_add(&scene->let_go, 1);
}

const struct place places[] = {
    {"recv", "ferry_recv", in_recv, NULL, -ECANCELED, true, false},
    {"recv_exact", "ferry_recv_exact", in_recv_exact, NULL, -ECANCELED, true, false},
    {"recv_until", "ferry_recv_until", in_recv_until, NULL, -ECANCELED, true, false},
    {"peek", "ferry_peek", in_peek, NULL, -ECANCELED, true, false},
    {"send", "ferry_send", in_send, NULL, -ECANCELED, true, false},
    {"flush", "ferry_flush", in_flush, NULL, -ECANCELED, true, false},
    {"dial", "ferry_dial", in_dial, NULL, -ECANCELED, false, false},
    {"sleep", "ferry_sleep", in_sleep, NULL, -ECANCELED, false, false},
    {"yield", NULL, in_yield, NULL, -ECANCELED, false, false},
    {"join", "ferry_join", in_join, NULL, -ECANCELED, false, true},
    {"wait_group", "ferry_wait_group_wait", in_wait_group, NULL, -ECANCELED, false, false},
    {"channel_send", "ferry_channel_send", in_channel_send, NULL, -ECANCELED, false, false},
    {"channel_recv", "ferry_channel_recv", in_channel_recv, NULL, -ECANCELED, false, false},
    {"lock", "ferry_mutex_lock", in_lock, NULL, -ECANCELED, false, true},
    {"cond", "ferry_cond_wait", in_cond, NULL, -ECANCELED, false, false},
    {"offload", "ferry_offload", in_offload, let_go, 0, false, true},
    {NULL, NULL, NULL, NULL, 0, false, false},
};

/* Holds a mutex of the scene for as long as it lives, which is until it is cancelled. */
static void hold(void *arg)
{
    struct scene *scene = arg;
    assert_int_equal(ferry_mutex_lock(scene->mutex), 0);
    while (ferry_sleep(3600 * 1000) == 0)
        continue;
    ferry_mutex_unlock(scene->mutex);
}

void scene_init(struct scene *scene, struct host *host)
{
    static const int item = 1;
    *scene = (struct scene){.host = host};
    scene->listener = peer_listen(scene->address, sizeof scene->address, 100);
    scene->deaf = peer_listen(scene->deaf_address, sizeof scene->deaf_address, 0);
    scene->in_backlog = peer_connect(scene->deaf_address); /* as many as fit: a SYN more is not answered */
    scene->group = ferry_wait_group_new();
    scene->full = ferry_channel_new(sizeof item, 1);
    scene->empty = ferry_channel_new(sizeof item, 1);
    scene->mutex = ferry_mutex_new();
    scene->lent = ferry_mutex_new();
    scene->cond = ferry_cond_new();
    ferry_wait_group_add(scene->group, 1);
    assert_int_equal(ferry_channel_send(scene->full, &item), 0);
    scene->holder = start(host, 0, "holder", hold, scene);
    wait_parked(host, "holder", "ferry_sleep");
}

void scene_fini(struct scene *scene)
{
    ferry_wait_group_free(scene->group);
    ferry_channel_free(scene->full);
    ferry_channel_free(scene->empty);
    ferry_mutex_free(scene->mutex);
    ferry_mutex_free(scene->lent);
    ferry_cond_free(scene->cond);
    peer_close(scene->listener);
    peer_close(scene->deaf);
    peer_close(scene->in_backlog);
}

static void visitor(void *arg)
{
    struct visit *visit = arg;
    if (visit->place->connected) {
        visit->conn = ferry_dial(visit->scene->address, 0);
        assert_non_null(visit->conn);
    }
    count_add(&visit->ready, 1);
    visit->result = visit->place->enter(visit);
    visit->again = ferry_sleep(1);
    if (visit->conn != NULL) {
        ferry_abort(visit->conn);
        ferry_conn_unref(visit->conn);
    }
    visit->cleaned = true;
}

ferry_co *visit_start(struct visit *visit, struct scene *scene, const struct place *place)
{
    *visit = (struct visit){.scene = scene, .place = place, .fd = -1};
    ferry_co *co = start(scene->host, 0, "visitor", visitor, visit);
    if (place->connected)
        visit->fd = peer_accept(scene->listener);
    count_wait(&visit->ready, 1);
    return co;
}

void visit_wait(const struct visit *visit)
{
    if (visit->place->call != NULL)
        wait_parked(visit->scene->host, "visitor", visit->place->call);
}

void visit_end(struct visit *visit)
{
    if (visit->fd >= 0)
        peer_close(visit->fd);
}
