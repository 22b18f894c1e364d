/* SPDX-License-Identifier: MIT
 *
 * Cancelling: at every place where a coroutine parks, before it has begun, after it has ended, by itself, twice, from other
 * threads, and in a race with what it waits for.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"
#include "places.h"

#include <errno.h>
#include <string.h>

static void check(const struct visit *visit)
{
    assert_int_equal(visit->result, visit->place->expected);
    assert_int_equal(visit->again, -ECANCELED); /* it stays cancelled */
    assert_true(visit->cleaned);
}

/* From a thread that runs no loop. */
static void at_every_place(void)
{
    struct host host;
    struct scene scene;
    host_bare(&host, 1);
    scene_init(&scene, &host);
    for (const struct place *place = places; place->name != NULL; place++) {
        struct visit visit;
        case_row("%s", place->name);
        ferry_co *co = visit_start(&visit, &scene, place);
        visit_wait(&visit);
        ferry_cancel(co);
        if (place->release != NULL) {
            host_settle(&host);
            visit_wait(&visit); /* it waits for the work: that is using its memory */
            place->release(&scene);
        }
        assert_int_equal(ferry_join(co), 0);
        check(&visit);
        visit_end(&visit);
    }
    ferry_cancel(scene.holder);
    host_stop(&host);
    scene_fini(&scene);
}

/* From a coroutine of the same loop, twice, in the same turn, and once more when it is over. */
struct pair {
    ferry_co *victim;
};

static void cancel_twice(void *arg)
{
    const struct pair *pair = arg;
    ferry_cancel(pair->victim);
    ferry_cancel(pair->victim);
    ferry_yield();
    ferry_cancel(pair->victim);
}

static void twice_from_a_coroutine_at_every_place(void)
{
    struct host host;
    struct scene scene;
    host_bare(&host, 1);
    scene_init(&scene, &host);
    for (const struct place *place = places; place->name != NULL; place++) {
        struct visit visit;
        case_row("%s", place->name);
        struct pair pair = {.victim = visit_start(&visit, &scene, place)};
        visit_wait(&visit);
        run_through(&host, 0, cancel_twice, &pair);
        if (place->release != NULL)
            place->release(&scene);
        assert_int_equal(ferry_join(pair.victim), 0);
        check(&visit);
        visit_end(&visit);
    }
    ferry_cancel(scene.holder);
    host_stop(&host);
    scene_fini(&scene);
}

/* It runs all the same, so that it can clean up; what it parks in fails. */
struct notes {
    int slept, offloaded;
    bool worked, ended;
};

static void worked(void *arg)
{
    ((struct notes *)arg)->worked = true;
}

static void take_notes(void *arg)
{
    struct notes *notes = arg;
    notes->slept = ferry_sleep(3600 * 1000);
    notes->offloaded = ferry_offload(worked, notes);
    notes->ended = true;
}

static void spawn_and_cancel(void *arg)
{
    ferry_co *co = ferry_spawn(ferry_loop_current(), take_notes, arg);
    ferry_cancel(co);
    assert_int_equal(ferry_join(co), 0);
}

static void expect_cancelled(const struct notes *notes)
{
    assert_int_equal(notes->slept, -ECANCELED);
    assert_int_equal(notes->offloaded, -ECANCELED);
    assert_false(notes->worked);
    assert_true(notes->ended);
}

static void before_it_has_begun(void)
{
    struct host host;
    struct notes notes = {0};
    struct notes others = {0};
    host_bare(&host, 1);
    run_through(&host, 0, spawn_and_cancel, &notes);
    expect_cancelled(&notes);
    ferry_co *co = start(&host, 0, NULL, take_notes, &others); /* from another thread */
    ferry_cancel(co);
    assert_int_equal(ferry_join(co), 0);
    expect_cancelled(&others);
    host_stop(&host);
}

static void cancel_myself(void *arg)
{
    ferry_cancel(ferry_self());
    take_notes(arg);
}

static void itself(void)
{
    struct host host;
    struct notes notes = {0};
    host_bare(&host, 1);
    run_through(&host, 0, cancel_myself, &notes);
    expect_cancelled(&notes);
    host_stop(&host);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The one that has its place now is not hit. */
static void sleep_well(void *arg)
{
    *(int *)arg = ferry_sleep(20);
}

static void one_that_has_ended(void)
{
    struct host host;
    int result = 1;
    host_bare(&host, 1);
    ferry_co *old = start(&host, 0, NULL, nothing, NULL);
    assert_int_equal(ferry_join(old), 0);
    ferry_co *young = start(&host, 0, "young", sleep_well, &result);
    ferry_cancel(old);
    ferry_cancel(old);
    assert_int_equal(ferry_join(young), 0);
    assert_int_equal(result, 0);
    host_stop(&host);
}

/* Yielding all the time, and cancelled again and again by another that does the same. */
static void yield_until_cancelled(void *arg)
{
    int *rounds = arg;
    while (ferry_sleep(0) == 0)
        ferry_yield();
    for (int i = 0; i < 10; i++, (*rounds)++)
        ferry_yield();
}

static void cancel_in_every_turn(void *arg)
{
    const struct pair *pair = arg;
    for (int i = 0; i < 20; i++) {
        ferry_yield();
        ferry_cancel(pair->victim);
    }
}

static void again_and_again_while_it_yields(void)
{
    struct host host;
    int rounds = 0;
    host_bare(&host, 1);
    struct pair pair = {.victim = start(&host, 0, "yielder", yield_until_cancelled, &rounds)};
    run_through(&host, 0, cancel_in_every_turn, &pair);
    assert_int_equal(ferry_join(pair.victim), 0);
    assert_int_equal(rounds, 10);
    host_stop(&host);
}

/* Input and cancellation come together: the coroutine runs on once, from the call it was in, and ends once. */
struct race {
    struct host host;
    ferry_co *co;
    struct count begun, ended;
    int woken;
};

static void read_until_cancelled(ferry_conn *conn, void *arg)
{
    struct race *race = arg;
    char byte;
    race->co = ferry_self();
    count_add(&race->begun, 1);
    ssize_t n;
    while ((n = ferry_recv(conn, &byte, 1)) == 1)
        assert_int_equal(byte, 'x');
    assert_true(n == -ECANCELED);
    assert_int_equal(ferry_sleep(1), -ECANCELED);
    assert_int_equal(ferry_sleep(1), -ECANCELED);
    count_add(&race->ended, 1);
}

static void with_data_at_the_same_time(void)
{
    static struct race race;
    race = (struct race){.woken = 0};
    host_start(&race.host, &(ferry_service){.serve = read_until_cancelled, .arg = &race});
    for (uint64_t round = 1; round <= scale(2000); round++) {
        int fd = peer_connect(race.host.address);
        count_wait(&race.begun, round);
        ferry_cancel(race.co);
        peer_write(fd, "x", 1);
        count_wait(&race.ended, round);
        peer_close(fd);
        count_wait(&race.host.watch.served, round);
    }
    host_stop(&race.host);
    assert_int_equal(count_get(&race.begun), count_get(&race.ended));
}

/* The same made certain: one callback cancels the reader of another connection whose bytes are in the same batch. */
struct batch {
    struct host host;
    ferry_co *victim;
    struct count begun, ended;
    int result;
};

static void serve_batch(ferry_conn *conn, void *arg)
{
    struct batch *batch = arg;
    char byte;
    bool first = batch->victim == NULL;
    if (first)
        batch->victim = ferry_self();
    count_add(&batch->begun, 1);
    ssize_t n = ferry_recv(conn, &byte, 1);
    if (!first)
        ferry_cancel(batch->victim);
    else
        batch->result = (int)n;
    (void)ferry_sleep(1);
    count_add(&batch->ended, 1);
}

static void hold_the_loop(void *arg)
{
    struct count *gates = arg;
    count_add(&gates[0], 1);
    count_wait(&gates[1], 1);
}

static void with_data_in_the_same_batch(void)
{
    for (size_t round = 0; round < 2; round++) { /* either may come first in the batch */
        static struct batch batch;
        struct count gates[2] = {{0}};
        batch = (struct batch){.result = 1000};
        host_start(&batch.host, &(ferry_service){.serve = serve_batch, .arg = &batch});
        int victim = peer_connect(batch.host.address);
        count_wait(&batch.begun, 1);
        int killer = peer_connect(batch.host.address);
        count_wait(&batch.begun, 2);
        wait_parked_many(&batch.host, NULL, "ferry_recv", 2);
        ferry_post(ferry_pool_loop(batch.host.pool, 0), hold_the_loop, gates);
        count_wait(&gates[0], 1);
        peer_write(round == 0 ? killer : victim, "x", 1);
        peer_write(round == 0 ? victim : killer, "x", 1);
        count_add(&gates[1], 1);
        count_wait(&batch.ended, 2);
        assert_true(batch.result == 1 || batch.result == -ECANCELED);
        peer_close(victim);
        peer_close(killer);
        count_wait(&batch.host.watch.closed, 2);
        host_stop(&batch.host);
        assert_int_equal(count_get(&batch.ended), 2);
    }
}

/* Many are cancelled from many threads, at whatever they are doing. */
enum { CROWD = 64, THREADS = 4 };

struct mob {
    struct host host;
    ferry_channel *channel;
    ferry_mutex *mutex;
    ferry_co *cos[CROWD];
    pthread_t threads[THREADS];
    unsigned ended;
};

static void bustle(void *arg)
{
    struct mob *mob = arg;
    for (int result = 0; result >= 0;) {
        int item = 1;
        if ((result = ferry_mutex_lock(mob->mutex)) == 0) {
            ferry_yield();
            ferry_mutex_unlock(mob->mutex);
        }
        if (result >= 0)
            result = ferry_channel_send(mob->channel, &item);
        if (result >= 0)
            result = ferry_channel_recv(mob->channel, &item);
        if (result >= 0)
            result = ferry_sleep(0);
    }
    mob->ended++;
}

static void *cancel_all(void *arg)
{
    struct mob *mob = arg;
    for (size_t i = 0; i < CROWD; i++)
        ferry_cancel(mob->cos[i]);
    return NULL;
}

static void a_crowd_from_many_threads(void)
{
    for (size_t round = 0; round < scale(40); round++) {
        struct mob mob = {.channel = ferry_channel_new(sizeof(int), 3), .mutex = ferry_mutex_new()};
        host_bare(&mob.host, 1);
        for (size_t i = 0; i < CROWD; i++)
            mob.cos[i] = start(&mob.host, 0, NULL, bustle, &mob);
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&mob.threads[i], NULL, cancel_all, &mob), 0);
        for (size_t i = 0; i < THREADS; i++)
            assert_int_equal(pthread_join(mob.threads[i], NULL), 0);
        for (size_t i = 0; i < CROWD; i++)
            assert_int_equal(ferry_join(mob.cos[i]), 0);
        host_stop(&mob.host);
        assert_int_equal(mob.ended, CROWD);
        ferry_channel_free(mob.channel);
        ferry_mutex_free(mob.mutex);
    }
}

const struct test_case test_cases[] = {
    {"at_every_place", at_every_place},
    {"twice_from_a_coroutine_at_every_place", twice_from_a_coroutine_at_every_place},
    {"before_it_has_begun", before_it_has_begun},
    {"itself", itself},
    {"one_that_has_ended", one_that_has_ended},
    {"again_and_again_while_it_yields", again_and_again_while_it_yields},
    {"with_data_at_the_same_time", with_data_at_the_same_time},
    {"with_data_in_the_same_batch", with_data_in_the_same_batch},
    {"a_crowd_from_many_threads", a_crowd_from_many_threads},
    {NULL, NULL},
};
