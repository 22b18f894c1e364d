/* SPDX-License-Identifier: MIT
 *
 * A pool that stops: coroutines parked everywhere run to their end, transfers have their time, and one that does not heed
 * being cancelled is named and left behind.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"
#include "places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

/* Some in every place at once. Each cleans up; nothing is left (ASan and the descriptors' count say so). */
enum { EACH = 3, PLACES = 20 };

static void parked_in_every_place(void)
{
    struct host host;
    struct scene scene;
    static struct visit visits[PLACES][EACH];
    size_t count = 0;
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 1, .grace_ms = 20000});
    scene_init(&scene, &host);
    for (const struct place *place = places; place->name != NULL; place++, count++)
        for (size_t i = 0; i < EACH; i++)
            (void)visit_start(&visits[count][i], &scene, place);
    for (size_t p = 0; p < count; p++)
        if (places[p].call != NULL)
            wait_parked(&host, "visitor", places[p].call);
    ferry_pool_stop(host.pool);
    for (size_t p = 0; p < count; p++)
        if (places[p].release != NULL)
            places[p].release(&scene);
    host_stop(&host);
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < EACH; i++) {
            case_row("%s", places[p].name);
            assert_true(visits[p][i].cleaned);
            assert_int_equal(visits[p][i].again, -ECANCELED);
            if (!places[p].may_succeed || visits[p][i].result != 0)
                assert_int_equal(visits[p][i].result, -ECANCELED);
            visit_end(&visits[p][i]);
        }
    scene_fini(&scene);
}

/* Coroutines of connections: the idle ones see an end at once, the one in the middle of a transfer finishes it. */
enum { SIZE = 8 * 1024 * 1024, PIECE = 16 * 1024 };

struct transfers {
    struct host host;
    size_t size;
    unsigned closes;
};

static void serve_transfer(ferry_conn *conn, void *arg)
{
    struct transfers *t = arg;
    struct pattern pattern = {.seed = 1};
    char piece[PIECE];
    char byte;
    ssize_t n = ferry_recv(conn, &byte, 1);
    while (n == 1 && pattern.at < t->size) {
        pattern_fill(&pattern, piece, sizeof piece);
        ferry_send(conn, piece, sizeof piece);
        assert_int_equal(ferry_flush(conn), 0);
    }
    if (n == 1)
        n = ferry_recv(conn, &byte, 1); /* nothing is under way now */
    assert_true(n == -ECANCELED || n == 0);
}

static void count_close(ferry_conn *conn, int reason, void *arg)
{
    (void)conn;
    assert_reason(reason, 0);
    ((struct transfers *)arg)->closes++;
}

static void a_transfer_is_finished(void)
{
    static struct transfers t;
    struct pattern pattern = {.seed = 1};
    t = (struct transfers){.size = scale(SIZE / PIECE) * PIECE};
    host_init(
        &t.host,
        &(ferry_service){.serve = serve_transfer, .on_close = count_close, .arg = &t, .socket.send_buffer = 16 * 1024});
    host_run(&t.host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .grace_ms = 60000});
    int idle = peer_connect(t.host.address);
    int busy = peer_connect_with(t.host.address, &tiny);
    count_wait(&t.host.watch.opened, 2);
    peer_write(busy, "x", 1);
    peer_read_pattern(busy, &pattern, 1000);
    ferry_pool_stop(t.host.pool);
    peer_expect_eof(idle);
    peer_close(idle);
    peer_read_pattern(busy, &pattern, t.size - pattern.at);
    peer_expect_eof(busy);
    peer_close(busy);
    host_stop(&t.host);
    assert_int_equal(t.closes, 2);
}

/* One that helps to serve a connection has the grace time, as `serve` has; the others are cancelled at once. */
struct helper {
    ferry_wait_group *group;
    int result;
};

static void wait_for_group(void *arg)
{
    struct helper *helper = arg;
    helper->result = ferry_wait_group_wait(helper->group);
}

static void one_that_serves_has_its_grace(void)
{
    struct host host;
    struct helper helper = {.group = ferry_wait_group_new(), .result = 1}, other = helper;
    ferry_wait_group_add(helper.group, 1);
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 1, .grace_ms = 3600 * 1000});
    ferry_loop *loop = ferry_pool_loop(host.pool, 0);
    ferry_co *serving = ferry_spawn_as(loop, wait_for_group, &helper, &(ferry_spawn_options){.serving = true});
    ferry_co *plain = ferry_spawn(loop, wait_for_group, &other);
    wait_parked_many(&host, NULL, "ferry_wait_group_wait", 2);
    ferry_pool_stop(host.pool);
    assert_int_equal(ferry_join(plain), 0);
    assert_int_equal(other.result, -ECANCELED);
    assert_int_equal(helper.result, 1);
    ferry_wait_group_done(helper.group);
    assert_int_equal(ferry_join(serving), 0);
    assert_int_equal(helper.result, 0);
    host_stop(&host);
    ferry_wait_group_free(helper.group);
}

/* One that is not waiting for input when the pool stops is retired when it is again. */
struct late {
    ferry_wait_group *group;
    ssize_t result;
};

static void wait_then_read(ferry_conn *conn, void *arg)
{
    struct late *late = arg;
    char byte;
    assert_int_equal(ferry_wait_group_wait(late->group), 0); /* it has its grace */
    late->result = ferry_recv(conn, &byte, 1);
}

static void one_that_comes_back_to_reading(void)
{
    struct host host;
    struct late late = {.group = ferry_wait_group_new(), .result = 1};
    ferry_wait_group_add(late.group, 1);
    host_init(&host, &(ferry_service){.serve = wait_then_read, .arg = &late});
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .grace_ms = 3600 * 1000});
    int fd = peer_connect(host.address);
    wait_parked(&host, NULL, "ferry_wait_group_wait");
    ferry_pool_stop(host.pool);
    host_settle(&host);
    ferry_wait_group_done(late.group);
    peer_expect_eof(fd);
    peer_close(fd);
    assert_int_equal(pthread_join(host.thread, NULL), 0);
    assert_true(late.result == -ECANCELED || late.result == 0);
    ferry_pool_free(host.pool);
    watch_fini(&host.watch);
    ferry_wait_group_free(late.group);
}

/* And one that never comes back has its grace, and is then cancelled. */
static void wait_for_ever(ferry_conn *conn, void *arg)
{
    (void)conn;
    *(int *)arg = ferry_sleep(3600 * 1000);
}

static void when_the_grace_time_is_over_it_is_cancelled(void)
{
    struct host host;
    int result = 1;
    host_init(&host, &(ferry_service){.serve = wait_for_ever, .arg = &result});
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .grace_ms = 100});
    int fd = peer_connect(host.address);
    wait_parked(&host, NULL, "ferry_sleep");
    uint64_t begin = now_ns();
    host_stop(&host);
    assert_true(now_ns() - begin >= 100 * 1000000U);
    assert_int_equal(result, -ECANCELED);
    peer_close(fd);
}

/* The stubborn one. */
static struct count complaints;
static char complaint[256];

static void listen_to_log(ferry_log_level level, const char *line, void *arg)
{
    (void)arg;
    if (level != FERRY_LOG_ERROR || count_get(&complaints) > 0)
        return;
    (void)snprintf(complaint, sizeof complaint, "%s", line);
    count_add(&complaints, 1);
}

static void ignore_it(void *arg)
{
    unsigned *rounds = arg;
    for (;;) {
        if (ferry_sleep(1000) < 0)
            ++*rounds;
    }
}

static void one_that_does_not_heed_it_is_named(void)
{
    struct host host;
    unsigned rounds = 0;
    ferry_log_to(listen_to_log, NULL);
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 1, .grace_ms = 50});
    (void)start(&host, 0, "mule", ignore_it, &rounds);
    wait_parked(&host, "mule", "ferry_sleep");
    host_stop(&host); /* and does not hang */
    ferry_log_to(NULL, NULL);
    assert_true(rounds > 0);
    assert_int_equal(count_get(&complaints), 1);
    assert_non_null(strstr(complaint, "mule"));
    assert_non_null(strstr(complaint, "ferry_sleep"));
}

/* Spawned, by a coroutine, while the pool stops: it runs, cancelled, and ends. */
struct heirs {
    unsigned born, died;
};

static void heir(void *arg)
{
    struct heirs *heirs = arg;
    heirs->born++;
    (void)ferry_sleep(0);
    heirs->died++;
}

static void leave_heirs(void *arg)
{
    while (ferry_sleep(1000) == 0)
        continue;
    for (size_t i = 0; i < 5; i++)
        assert_non_null(ferry_spawn(ferry_loop_current(), heir, arg));
}

static void what_is_spawned_meanwhile_ends_too(void)
{
    struct host host;
    struct heirs heirs = {0};
    host_bare(&host, 1);
    (void)start(&host, 0, "parent", leave_heirs, &heirs);
    wait_parked(&host, "parent", "ferry_sleep");
    host_stop(&host);
    assert_int_equal(heirs.born, 5);
    assert_int_equal(heirs.died, 5);
}

/* A pool that never ran, or has run, is freed with connections and coroutines in it. */
static void freed_with_coroutines_in_it(void)
{
    struct heirs heirs = {0};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    for (size_t i = 0; i < 5; i++)
        assert_non_null(ferry_spawn(ferry_pool_loop(pool, 0), leave_heirs, &heirs));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ferry_loop_turn(ferry_pool_loop(pool, 0), 0), 1);
    ferry_pool_free(pool);
    assert_int_equal(heirs.born, 25);
    assert_int_equal(heirs.died, 25);
}

const struct test_case test_cases[] = {
    {"parked_in_every_place", parked_in_every_place},
    {"a_transfer_is_finished", a_transfer_is_finished},
    {"one_that_serves_has_its_grace", one_that_serves_has_its_grace},
    {"one_that_comes_back_to_reading", one_that_comes_back_to_reading},
    {"when_the_grace_time_is_over_it_is_cancelled", when_the_grace_time_is_over_it_is_cancelled},
    {"one_that_does_not_heed_it_is_named", one_that_does_not_heed_it_is_named},
    {"what_is_spawned_meanwhile_ends_too", what_is_spawned_meanwhile_ends_too},
    {"freed_with_coroutines_in_it", freed_with_coroutines_in_it},
    {NULL, NULL},
};
