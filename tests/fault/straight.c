/* SPDX-License-Identifier: MIT
 *
 * Scenes in the coroutine style.
 */
#include "scenes.h"

#include <errno.h>
#include <ferry/sync.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE = 3000 };

static void echo(ferry_conn *conn, void *arg)
{
    char bytes[8192];
    ssize_t n;
    (void)arg;
    while ((n = ferry_recv(conn, bytes, sizeof bytes)) > 0)
        ferry_send(conn, bytes, (size_t)n);
}

void scene_echo_straight(struct stage *stage)
{
    static const ferry_service service = {.serve = echo};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    stage_echoed_end(stage, 10);
    stage_echoed_end(stage, BIG);
    stage_end_all(stage);
}

/* Messages are whole, or the end comes in their place. */
static void echo_messages(ferry_conn *conn, void *arg)
{
    char bytes[MESSAGE];
    const void *data;
    ssize_t n;
    (void)arg;
    ferry_conn_set_deadline(conn, 5000);
    while ((n = ferry_recv_exact(conn, bytes, sizeof bytes)) == MESSAGE) {
        ferry_send(conn, bytes, sizeof bytes);
        if (ferry_flush(conn) < 0)
            return;
    }
    if (n < 0)
        ferry_abort(conn); /* also where there is no memory for the deadline's timer */
    else
        assert_int_equal(n, 0);
    assert_true(ferry_peek(conn, &data) <= 0);
}

void scene_messages_straight(struct stage *stage)
{
    static const ferry_service service = {.serve = echo_messages, .max_input = 50000};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    stage_echoed_end(stage, 10 * (uint64_t)MESSAGE);
    stage_end_all(stage);
    assert_int_equal(stage->ends[0].in.at % MESSAGE * (stage->ends[0].error == 0), 0);
}

/* Held back above the high-water mark, and flushed. */
static void send_big(ferry_conn *conn, void *arg)
{
    struct pattern pattern = {.seed = 1};
    char bytes[20000];
    (void)arg;
    for (int i = 0; i < BIG / (int)sizeof bytes; i++) {
        pattern_fill(&pattern, bytes, sizeof bytes);
        ferry_send(conn, bytes, sizeof bytes);
    }
    (void)ferry_flush(conn);
}

void scene_big_straight(struct stage *stage)
{
    static const ferry_service service = {.serve = send_big, .high_water = 30000, .socket.send_buffer = TINY};
    stage_play_held(stage, &service);
}

/* Dialing a plain end that echoes. */
struct dialing {
    struct stage *stage;
    bool spawned, ended;
    ssize_t got;
    int error;
};

static struct dialing dialing;

static void dial(void *arg)
{
    char out[MESSAGE], in[MESSAGE];
    struct pattern pattern = {.seed = 1};
    (void)arg;
    pattern_fill(&pattern, out, sizeof out);
    errno = 0;
    ferry_conn *conn = ferry_dial(dialing.stage->plain_address, 1000);
    dialing.error = errno;
    if (conn != NULL) {
        ferry_send(conn, out, sizeof out);
        ferry_shutdown(conn);
        dialing.got = ferry_recv_exact(conn, in, sizeof in);
        if (dialing.got > 0)
            assert_memory_equal(in, out, (size_t)dialing.got);
        ferry_close(conn);
        ferry_conn_unref(conn);
    } else {
        assert_int_not_equal(dialing.error, 0);
    }
    dialing.ended = true;
}

static void spawn_dial(void *arg)
{
    ferry_co *co = ferry_spawn(dialing.stage->loop, dial, arg);
    dialing.spawned = co != NULL;
}

/* One without a stack does not run, and nobody is told but the log: so it is waited for some time only. */
static bool dialed(struct stage *stage)
{
    (void)stage;
    return dialing.ended || !dialing.spawned;
}

static bool is_quiet(struct stage *stage)
{
    ferry_loop_counters counters;
    ferry_loop_stats(stage->loop, &counters);
    return dialed(stage) || counters.coroutines == 0;
}

void scene_dial(struct stage *stage)
{
    static const ferry_service none;
    dialing = (struct dialing){.stage = stage};
    if (!stage_open(stage, &none, NULL))
        return;
    stage_listen(stage);
    ferry_post(stage->loop, spawn_dial, NULL);
    stage_turn_for(stage, 2);
    stage_until(stage, is_quiet);
    if (stage->clean)
        assert_int_equal(dialing.got, MESSAGE);
}

/* Spawning, sleeping, yielding, joining, cancelling; what has run is counted. */
static int ran;

static void nap(void *arg)
{
    ran++;
    (void)ferry_sleep((uintptr_t)arg);
    ferry_yield();
}

static void sleep_long(void *arg)
{
    (void)arg;
    ran++;
    while (ferry_sleep(10000) == 0)
        ;
}

static void parent(void *arg)
{
    ferry_loop *loop = ferry_loop_current();
    ferry_co *children[5];
    (void)arg;
    for (size_t i = 0; i < 4; i++)
        children[i] = ferry_spawn(loop, nap, (void *)(uintptr_t)i);
    children[4] = ferry_spawn_as(loop, sleep_long, NULL, &(ferry_spawn_options){.stack_size = 256 * 1024});
    ferry_yield();
    ferry_cancel(children[4]);
    for (size_t i = 0; i < 5; i++)
        if (children[i] != NULL && ferry_join(children[i]) < 0)
            return; /* the pool has ended */
    ran++;
}

static bool no_coroutines(struct stage *stage)
{
    ferry_loop_counters counters;
    ferry_loop_stats(stage->loop, &counters);
    return counters.coroutines == 0;
}

void scene_coroutines(struct stage *stage)
{
    static const ferry_service none;
    ran = 0;
    if (!stage_open(stage, &none, NULL))
        return;
    (void)ferry_spawn(stage->loop, parent, NULL);
    stage_turn_for(stage, 2);
    stage_until(stage, no_coroutines);
    if (stage->clean)
        assert_int_equal(ran, 6);
}

/* A channel between a thread and coroutines, with a mutex and a wait group: the sum of what has come is that of what was sent. */
struct line {
    ferry_channel *channel;
    ferry_wait_group *group;
    ferry_mutex *mutex;
    ferry_cond *cond;
    uint64_t sum, sent, received;
    bool told;
};

static struct line line;

static void produce(void *arg)
{
    (void)arg;
    for (uint64_t i = 1; i <= 20; i++)
        if (ferry_channel_send(line.channel, &i) == 0)
            line.sent += i;
    ferry_wait_group_done(line.group);
}

static void consume(void *arg)
{
    uint64_t item;
    (void)arg;
    while (ferry_channel_recv(line.channel, &item) == 1) {
        line.received += item;
        if (ferry_mutex_lock(line.mutex) < 0)
            break; /* the pool has ended */
        ferry_yield();
        ferry_mutex_unlock(line.mutex);
    }
    ferry_wait_group_done(line.group);
}

static void close_line(void *arg)
{
    (void)arg;
    ferry_channel_close(line.channel);
}

static void open_line(struct stage *stage)
{
    void (*const parts[])(void *) = {consume, consume, produce, produce};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        ferry_wait_group_add(line.group, 1);
        if (ferry_spawn(stage->loop, parts[i], NULL) == NULL)
            ferry_wait_group_done(line.group);
    }
    stage_turn_for(stage, 3);
    ferry_post(stage->loop, close_line, NULL);
    stage_until(stage, no_coroutines);
    assert_true(line.received <= line.sent);
    if (stage->clean)
        assert_int_equal(line.received, line.sent);
}

void scene_channel(struct stage *stage)
{
    static const ferry_service none;
    line = (struct line){.channel = ferry_channel_new(sizeof(uint64_t), 3),
                         .group = ferry_wait_group_new(),
                         .mutex = ferry_mutex_new(),
                         .cond = ferry_cond_new()};
    bool there = line.channel != NULL && line.group != NULL && line.mutex != NULL && line.cond != NULL;
    if (stage_open(stage, &none, NULL) && there)
        open_line(stage);
    stage_close(stage);
    ferry_channel_free(line.channel);
    ferry_wait_group_free(line.group);
    ferry_mutex_free(line.mutex);
    ferry_cond_free(line.cond);
}

/* Work on other threads. */
static atomic_int worked, done;

static void work(void *arg)
{
    (void)arg;
    atomic_fetch_add(&worked, 1);
}

static void note_done(void *arg)
{
    (void)arg;
    atomic_fetch_add(&done, 1);
}

static void offload(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        int result = ferry_offload(work, NULL);
        assert_true(result == 0 || result == -ECANCELED);
    }
}

static int expected;

static bool has_worked(struct stage *stage)
{
    return no_coroutines(stage) && atomic_load(&done) == expected;
}

void scene_offload(struct stage *stage)
{
    static const ferry_service none;
    atomic_store(&worked, 0);
    atomic_store(&done, 0);
    expected = 0;
    if (!stage_open(stage, &none, NULL))
        return;
    (void)ferry_spawn(stage->loop, offload, NULL);
    for (int i = 0; i < 5; i++)
        expected += ferry_offload_then(stage->loop, work, note_done, NULL) == 0;
    stage_turn_for(stage, 2);
    stage_until(stage, has_worked);
    if (stage->clean)
        assert_int_equal(atomic_load(&worked), 8);
}
