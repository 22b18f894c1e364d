/* SPDX-License-Identifier: MIT
 *
 * Pools and loops without connections: making, running, stopping, freeing, and a loop inside a foreign one.
 */
#include "case.h"
#include "host.h"
#include "inside.h"
#include "peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static void options_that_cannot_be_met_are_refused(void)
{
    errno = 0;
    assert_null(ferry_pool_new(&(ferry_pool_options){.threads = 1025}));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(ferry_pool_new(&(ferry_pool_options){.threads = 1, .backend = (ferry_backend)77}));
    assert_true(errno == EINVAL || errno == ENOTSUP);
}

static void size_and_loops(void)
{
    static const unsigned sizes[] = {1, 2, 7};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = sizes[i]});
        assert_non_null(pool);
        assert_int_equal(ferry_pool_size(pool), sizes[i]);
        for (unsigned k = 0; k < sizes[i]; k++)
            assert_non_null(ferry_pool_loop(pool, k));
        assert_null(ferry_pool_loop(pool, sizes[i]));
        ferry_pool_free(pool);
    }
}

/* Whatever a program asks for, who runs it has the last word. */
static void the_environment_chooses_the_backend(void)
{
    static const struct {
        const char *value, *name;
    } rows[] = {{"epoll", "epoll"}, {"uring", "io_uring"}, {"auto", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (ferry_backend asked = FERRY_BACKEND_AUTO; asked <= FERRY_BACKEND_URING; asked++) {
            case_row("FERRY_BACKEND=%s, %d asked for", rows[i].value, (int)asked);
            assert_int_equal(setenv("FERRY_BACKEND", rows[i].value, 1), 0);
            ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1, .backend = asked});
            assert_non_null(pool);
            const char *name = ferry_pool_backend(pool);
            if (*rows[i].name)
                assert_string_equal(name, rows[i].name);
            else /* as it is measured here */
                assert_true(strcmp(name, "io_uring") == 0 || strncmp(name, "epoll (no io_uring: ", 20) == 0);
            ferry_pool_free(pool);
        }
    assert_int_equal(setenv("FERRY_BACKEND", "kqueue", 1), 0);
    errno = 0;
    assert_null(ferry_pool_new(NULL));
    assert_int_equal(errno, EINVAL);
}

static void defaults_without_options(void)
{
    ferry_pool *pool = ferry_pool_new(NULL);
    assert_non_null(pool);
    assert_true(ferry_pool_size(pool) >= 1);
    ferry_pool_free(pool);
    ferry_pool_free(NULL);
}

static void stop_before_run_is_remembered(void)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 3});
    assert_non_null(pool);
    ferry_pool_stop(pool);
    assert_int_equal(ferry_pool_run(pool), 0);
    ferry_pool_stop(pool);
    ferry_pool_free(pool);
}

static void stop_from_a_callback(void *pool)
{
    ferry_pool_stop(pool);
}

static void stop_from_inside(void)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(pool);
    ferry_post(ferry_pool_loop(pool, 1), stop_from_a_callback, pool);
    assert_int_equal(ferry_pool_run(pool), 0);
    ferry_pool_free(pool);
}

struct meeting {
    struct count arrived;
    pthread_t threads[4];
};

static void arrive(void *arg)
{
    struct meeting *meeting = arg;
    count_add(&meeting->arrived, 1);
    count_wait(&meeting->arrived, 4); /* each loop is needed for it, at the same time */
}

static void each_loop_has_a_thread_of_its_own(void)
{
    struct host host;
    struct meeting meeting = {.arrived = {0}};
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 4});
    for (unsigned i = 0; i < 4; i++)
        ferry_post(ferry_pool_loop(host.pool, i), arrive, &meeting);
    count_wait(&meeting.arrived, 4);
    host_stop(&host);
}

static void look_around(void *arg)
{
    uint64_t *turn = arg;
    ferry_loop *loop = ferry_loop_current();
    assert_non_null(loop);
    assert_true(ferry_loop_now(loop) <= now_ns());
    assert_true(ferry_loop_now(loop) >= *turn);
    *turn = ferry_loop_now(loop);
}

static void current_loop_and_its_clock(void)
{
    struct host host;
    uint64_t turn = now_ns() - 1000000000U;
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    assert_null(ferry_loop_current());
    for (size_t i = 0; i < 20; i++)
        host_call(&host, 0, look_around, &turn);
    assert_null(ferry_loop_current());
    host_stop(&host);
}

static void dump_to_memory(void *arg)
{
    size_t len = 0;
    char **text = arg;
    FILE *memory = open_memstream(text, &len);
    assert_non_null(memory);
    ferry_loop_dump(ferry_loop_current(), memory);
    assert_int_equal(fclose(memory), 0);
}

static void dump_names_connections(void)
{
    static const ferry_service service = {.high_water = 0};
    struct host host;
    char *text = NULL;
    char port[16];
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    count_wait(&host.watch.opened, 1);
    host_call(&host, 0, dump_to_memory, &text);
    (void)snprintf(port, sizeof port, ":%u", peer_port(fd));
    if (strstr(text, port) == NULL)
        fail_msg("no %s in the dump:\n%s", port, text);
    free(text);
    peer_close(fd);
    host_stop(&host);
}

/* Turns a loop the way a foreign event loop would, until the count is reached. */
static void turn_until(ferry_loop *loop, struct count *count, uint64_t value)
{
    struct pollfd poller = {.fd = ferry_loop_fd(loop), .events = POLLIN};
    uint64_t end = now_ms() + case_patience_ms();
    while (count_get(count) < value) {
        assert_true(now_ms() < end);
        assert_true(poll(&poller, 1, ferry_loop_timeout(loop)) >= 0);
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    }
}

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void count_one(void *arg)
{
    assert_false(inside_call());
    count_add(arg, 1);
}

static struct count posted;

enum { POSTS = 200 };

/* Each when the loop has run the last, and may sleep again. */
static void *post_some(void *arg)
{
    struct host *host = arg;
    for (size_t i = 0; i < POSTS; i++) {
        ferry_post(ferry_pool_loop(host->pool, 0), count_one, &posted);
        count_wait(&posted, i + 1);
    }
    return NULL;
}

static void *talk(void *arg)
{
    struct host *host = arg;
    char bytes[5];
    int fd = peer_connect(host->address);
    for (size_t i = 0; i < 100; i++) {
        peer_write(fd, "hello", 5);
        peer_read(fd, bytes, 5);
        assert_memory_equal(bytes, "hello", 5);
    }
    peer_close(fd);
    return NULL;
}

static void finish(ferry_pool *pool, ferry_loop *loop)
{
    struct pollfd poller = {.fd = ferry_loop_fd(loop), .events = POLLIN};
    ferry_pool_stop(pool);
    while (ferry_loop_turn(loop, 0) == 1)
        assert_true(poll(&poller, 1, ferry_loop_timeout(loop)) >= 0);
    assert_int_equal(ferry_loop_turn(loop, 0), 0);
    ferry_pool_free(pool);
}

static void a_foreign_loop_turns_it(void)
{
    static const ferry_service service = {.on_data = echo};
    struct host host;
    struct count fired = {0};
    pthread_t threads[2];
    host_init(&host, &service);
    host.pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(host.pool);
    ferry_loop *loop = ferry_pool_loop(host.pool, 0);
    host.listener = ferry_listen(host.pool, "127.0.0.1:0", &host.watch.service);
    assert_non_null(host.listener);
    host.address = ferry_listener_address(host.listener);
    assert_int_equal(pthread_create(&threads[0], NULL, talk, &host), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, post_some, &host), 0);
    assert_non_null(ferry_after(loop, 20, count_one, &fired));
    turn_until(loop, &fired, 1);
    turn_until(loop, &host.watch.closed, 1);
    turn_until(loop, &posted, POSTS);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    finish(host.pool, loop);
    watch_fini(&host.watch);
}

enum { HOUR_MS = 3600 * 1000 };

/* As far as a timer can be. */
static void a_timer_in_centuries_is_not_waited_for(void)
{
    struct count fired = {0};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    ferry_loop *loop = ferry_pool_loop(pool, 0);
    assert_non_null(ferry_after(loop, UINT64_MAX, count_one, &fired));
    while (ferry_loop_timeout(loop) == 0)
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    assert_int_equal(ferry_loop_timeout(loop), -1);
    ferry_pool_free(pool);
    assert_int_equal(count_get(&fired), 0);
}

/* What the foreign loop is told to wait: for ever without work, not at all with work, else until the next timer. */
static void timeout_says_when_to_turn(void)
{
    struct count fired = {0};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(pool);
    ferry_loop *loop = ferry_pool_loop(pool, 0);
    while (ferry_loop_timeout(loop) == 0)
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    assert_int_equal(ferry_loop_timeout(loop), -1);
    assert_non_null(ferry_after(loop, HOUR_MS, count_one, &fired));
    while (ferry_loop_timeout(loop) <= 0)
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    assert_in_range(ferry_loop_timeout(loop), 1, HOUR_MS + 1);
    ferry_pool_stop(pool);
    assert_int_equal(ferry_loop_turn(loop, 0), 0);
    ferry_pool_free(pool);
    assert_int_equal(count_get(&fired), 0);
}

static void sleep_for_an_hour(void *arg)
{
    count_add(arg, 1);
    assert_int_equal(ferry_sleep(HOUR_MS), -ECANCELED);
}

/* One that is stopping has its grace time to wait for, whatever else is due later; and the longest wait fits an int. */
static void timeout_of_one_that_stops_is_its_grace(void)
{
    struct count asleep = {0};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1, .grace_ms = 100});
    assert_non_null(pool);
    ferry_loop *loop = ferry_pool_loop(pool, 0);
    assert_non_null(ferry_after(loop, (uint64_t)1 << 40, count_one, &asleep));
    while (ferry_loop_timeout(loop) == 0)
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    assert_int_equal(ferry_loop_timeout(loop), INT32_MAX);
    const ferry_spawn_options serving = {.serving = true};
    assert_non_null(ferry_spawn_as(loop, sleep_for_an_hour, &asleep, &serving));
    while (count_get(&asleep) == 0)
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    ferry_pool_stop(pool);
    do
        assert_int_equal(ferry_loop_turn(loop, 0), 1);
    while (ferry_loop_timeout(loop) == 0);
    assert_in_range(ferry_loop_timeout(loop), 1, 100);
    while (ferry_loop_turn(loop, ferry_loop_timeout(loop)) == 1)
        continue;
    ferry_pool_free(pool);
    assert_int_equal(count_get(&asleep), 1);
}

const struct test_case test_cases[] = {
    {"options_that_cannot_be_met_are_refused", options_that_cannot_be_met_are_refused},
    {"size_and_loops", size_and_loops},
    {"the_environment_chooses_the_backend", the_environment_chooses_the_backend},
    {"defaults_without_options", defaults_without_options},
    {"stop_before_run_is_remembered", stop_before_run_is_remembered},
    {"stop_from_inside", stop_from_inside},
    {"each_loop_has_a_thread_of_its_own", each_loop_has_a_thread_of_its_own},
    {"current_loop_and_its_clock", current_loop_and_its_clock},
    {"dump_names_connections", dump_names_connections},
    {"a_foreign_loop_turns_it", a_foreign_loop_turns_it},
    {"timeout_says_when_to_turn", timeout_says_when_to_turn},
    {"a_timer_in_centuries_is_not_waited_for", a_timer_in_centuries_is_not_waited_for},
    {"timeout_of_one_that_stops_is_its_grace", timeout_of_one_that_stops_is_its_grace},
    {NULL, NULL},
};
