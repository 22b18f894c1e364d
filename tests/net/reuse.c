/* SPDX-License-Identifier: MIT
 *
 * A descriptor number that is reused within one batch of events: the events of the old connection must not reach the
 * new one.
 *
 * The loop is held while the peers act in a chosen order, so that it finds all of it in one batch: first a byte for the
 * connection whose callback kills the others, then the connections that may get their numbers, then resets and ends of
 * file for the dead. No reference is kept, so that the memory of the dead may be reused as well. Whether numbers are
 * reused so soon is ferry's choice, and printed: a socket that is closed only after the batch leaves its number taken.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <string.h>

enum { VICTIMS = 12, ROUNDS = 30 };

struct batch {
    struct host host;
    size_t base;                    /* connections of the rounds before */
    ferry_conn *conns[1 + VICTIMS]; /* this round's killer and victims: the loop's */
    size_t arrived;
    int base_fd[VICTIMS];
    unsigned ports[VICTIMS]; /* of the victims' peers */
    unsigned fresh_ports[VICTIMS];
    struct count reached, released;
    size_t numbers_reused;
    struct host *dialed; /* where the killer connects to, or NULL */
    struct watch dials;
};

static void hold_the_loop(void *arg)
{
    struct batch *batch = arg;
    count_add(&batch->reached, 1);
    count_wait(&batch->released, count_get(&batch->reached));
}

static void note_arrival(ferry_conn *conn, void *arg)
{
    struct batch *batch = arg;
    if (batch->arrived < 1 + VICTIMS)
        batch->conns[batch->arrived++] = conn;
}

static size_t kill_or_echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct batch *batch = arg;
    if (memchr(data, 'k', len) == NULL) {
        ferry_send(conn, data, len);
        return len;
    }
    for (size_t i = 0; i < VICTIMS; i++)
        ferry_abort(batch->conns[1 + i]);
    if (batch->dialed != NULL)
        for (size_t i = 0; i < VICTIMS; i++)
            assert_int_equal(ferry_connect(ferry_conn_loop(conn), batch->dialed->address, &batch->dials.service, NULL),
                             0);
    return len;
}

static void start_batch(struct batch *batch)
{
    const ferry_service service = {.arg = batch, .on_open = note_arrival, .on_data = kill_or_echo};
    host_init(&batch->host, &service);
    batch->host.watch.keep = false;
    host_run(&batch->host, "127.0.0.1:0", NULL);
}

static void forget_arrivals(void *arg)
{
    ((struct batch *)arg)->arrived = 0;
}

static void connect_victims(struct batch *batch, int *killer, int victims[VICTIMS])
{
    host_call(&batch->host, 0, forget_arrivals, batch);
    *killer = peer_connect(batch->host.address);
    count_wait(&batch->host.watch.opened, batch->base + 1);
    for (size_t i = 0; i < VICTIMS; i++) {
        victims[i] = peer_connect(batch->host.address);
        batch->ports[i] = peer_port(victims[i]);
        count_wait(&batch->host.watch.opened, batch->base + 2 + i);
    }
    host_settle(&batch->host);
    for (size_t i = 0; i < VICTIMS; i++)
        batch->base_fd[i] = peer_other_end(batch->ports[i]);
}

/* What the victims' peers do while the loop is held: each leaves other events behind. */
static void leave_events(int victims[VICTIMS])
{
    for (size_t i = 0; i < VICTIMS; i++) {
        if (i % 3 == 0)
            peer_reset(victims[i]);
        else if (i % 3 == 1)
            peer_half_close(victims[i]);
        else
            peer_write(victims[i], "for the dead", 12);
    }
}

static void count_reused(struct batch *batch)
{
    for (size_t i = 0; i < VICTIMS; i++) {
        int fd = peer_other_end(batch->fresh_ports[i]);
        for (size_t k = 0; k < VICTIMS; k++)
            batch->numbers_reused += fd >= 0 && fd == batch->base_fd[k];
    }
}

static void check_fresh(struct batch *batch, int fresh[VICTIMS])
{
    char bytes[2];
    for (size_t i = 0; i < VICTIMS; i++) {
        assert_false(peer_readable(fresh[i]));
        peer_write(fresh[i], "hi", 2);
        peer_read(fresh[i], bytes, 2);
        assert_memory_equal(bytes, "hi", 2);
    }
    assert_int_equal(count_get(&batch->host.watch.closed), batch->base + VICTIMS);
}

static void hold(struct batch *batch)
{
    ferry_post(ferry_pool_loop(batch->host.pool, 0), hold_the_loop, batch);
    count_wait(&batch->reached, count_get(&batch->released) + 1);
}

static void accept_round(struct batch *batch)
{
    int killer;
    int victims[VICTIMS];
    int fresh[VICTIMS];
    connect_victims(batch, &killer, victims);
    for (size_t i = 0; i < VICTIMS; i++)
        fresh[i] = peer_socket(batch->host.address, NULL);
    hold(batch);
    peer_write(killer, "k", 1);
    for (size_t i = 0; i < VICTIMS; i++) {
        assert_int_equal(peer_join(fresh[i], batch->host.address), 0);
        batch->fresh_ports[i] = peer_port(fresh[i]);
    }
    leave_events(victims);
    count_add(&batch->released, 1);
    count_wait(&batch->host.watch.closed, batch->base + VICTIMS);
    count_wait(&batch->host.watch.opened, batch->base + 1 + 2 * VICTIMS);
    host_settle(&batch->host);
    count_reused(batch);
    check_fresh(batch, fresh);
    for (size_t i = 0; i < VICTIMS; i++) {
        if (i % 3 != 0)
            peer_close(victims[i]);
        peer_close(fresh[i]);
    }
    peer_close(killer);
    batch->base += 1 + 2 * VICTIMS;
    count_wait(&batch->host.watch.closed, batch->base);
}

static void accepted_connections_are_not_told_of_the_dead(void)
{
    static struct batch batch;
    batch = (struct batch){.base = 0};
    start_batch(&batch);
    for (size_t i = 0; i < scale(ROUNDS); i++)
        accept_round(&batch);
    print_message("%zu of %zu numbers were reused at once\n", batch.numbers_reused, scale(ROUNDS) * VICTIMS);
    host_stop(&batch.host);
}

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void dial_round(struct batch *batch, size_t round)
{
    int killer;
    int victims[VICTIMS];
    connect_victims(batch, &killer, victims);
    hold(batch);
    peer_write(killer, "k", 1);
    leave_events(victims);
    count_add(&batch->released, 1);
    count_wait(&batch->host.watch.closed, batch->base + VICTIMS);
    count_wait(&batch->dials.opened, (round + 1) * VICTIMS);
    host_settle(&batch->host);
    assert_int_equal(count_get(&batch->dials.closed), round * VICTIMS);
    for (size_t i = 0; i < VICTIMS; i++)
        ferry_close(watch_conn(&batch->dials, round * VICTIMS + i));
    count_wait(&batch->dials.closed, (round + 1) * VICTIMS);
    for (size_t i = 0; i < VICTIMS; i++)
        if (i % 3 != 0)
            peer_close(victims[i]);
    peer_close(killer);
    batch->base += 1 + VICTIMS;
    count_wait(&batch->host.watch.closed, batch->base);
}

static void dialed_connections_are_not_told_of_the_dead(void)
{
    static struct batch batch;
    static struct host other;
    static const ferry_service echoing = {.on_data = echo};
    batch = (struct batch){.dialed = &other};
    host_start(&other, &echoing);
    start_batch(&batch);
    watch_init(&batch.dials, &echoing);
    batch.dials.keep = true;
    for (size_t i = 0; i < scale(ROUNDS); i++)
        dial_round(&batch, i);
    host_stop(&batch.host);
    watch_fini(&batch.dials);
    host_stop(&other);
}

const struct test_case test_cases[] = {
    {"accepted_connections_are_not_told_of_the_dead", accepted_connections_are_not_told_of_the_dead},
    {"dialed_connections_are_not_told_of_the_dead", dialed_connections_are_not_told_of_the_dead},
    {NULL, NULL},
};
