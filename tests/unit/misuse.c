/* SPDX-License-Identifier: MIT
 *
 * A caller's bug ends the process, in release builds too, with a sentence that says which call it was. Each in a process of its
 * own.
 */
#include "case.h"
#include "child.h"
#include "peer.h"

#include <ferry/ferry.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static ferry_pool *new_pool(unsigned threads)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = threads});
    assert_non_null(pool);
    return pool;
}

/* Pools and loops. */

static void run_twice(void *arg)
{
    ferry_pool *pool = new_pool(1);
    (void)arg;
    ferry_pool_stop(pool);
    (void)ferry_pool_run(pool);
    (void)ferry_pool_run(pool);
}

static void turn_one_of_two(void *arg)
{
    (void)arg;
    (void)ferry_loop_turn(ferry_pool_loop(new_pool(2), 0), 0);
}

static void free_it(void *pool)
{
    ferry_pool_free(pool);
}

static void free_while_it_runs(void *arg)
{
    ferry_pool *pool = new_pool(1);
    (void)arg;
    ferry_post(ferry_pool_loop(pool, 0), free_it, pool);
    (void)ferry_pool_run(pool);
}

static void free_in_a_turn(void *arg)
{
    ferry_pool *pool = new_pool(1);
    (void)arg;
    ferry_post(ferry_pool_loop(pool, 0), free_it, pool);
    (void)ferry_loop_turn(ferry_pool_loop(pool, 0), 0);
}

static void turn_it(void *loop)
{
    (void)ferry_loop_turn(loop, 0);
}

static void turn_in_a_turn(void *arg)
{
    ferry_loop *loop = ferry_pool_loop(new_pool(1), 0);
    (void)arg;
    ferry_post(loop, turn_it, loop);
    turn_it(loop);
}

static void *turn_from_outside(void *loop)
{
    turn_it(loop);
    return NULL;
}

static void start_thread_that_turns(void *loop)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, turn_from_outside, loop), 0);
    (void)pthread_join(thread, NULL);
}

static void turn_while_it_runs(void *arg)
{
    ferry_pool *pool = new_pool(1);
    (void)arg;
    ferry_post(ferry_pool_loop(pool, 0), start_thread_that_turns, ferry_pool_loop(pool, 0));
    (void)ferry_pool_run(pool);
}

/* Connections: served until the pool is stopped. */

static ferry_conn *kept;

static void serve(unsigned threads, const ferry_service *service)
{
    ferry_pool *pool = new_pool(threads);
    ferry_listener *listener = ferry_listen(pool, "127.0.0.1:0", service);
    assert_non_null(listener);
    int fd = peer_connect(ferry_listener_address(listener));
    peer_write(fd, "x", 1);
    (void)ferry_pool_run(pool);
}

static size_t consume_two(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len + 1;
}

static void consume_what_is_not_there(void *arg)
{
    (void)arg;
    serve(1, &(ferry_service){.on_data = consume_two});
}

static void keep_and_stop(ferry_conn *conn, void *arg)
{
    (void)arg;
    kept = ferry_conn_ref(conn);
    ferry_pool_stop(*(ferry_pool **)arg);
}

/* A connection's reference, of a pool that does not run any more. */
static ferry_conn *conn_from_outside(void)
{
    ferry_pool *pool = new_pool(1);
    ferry_listener *listener = ferry_listen(pool, "127.0.0.1:0",
                                            &(ferry_service){.on_open = keep_and_stop, .arg = &pool});
    assert_non_null(listener);
    (void)peer_connect(ferry_listener_address(listener));
    (void)ferry_pool_run(pool);
    return kept;
}

static void set_context_from_outside(void *arg)
{
    ferry_conn_set_context(conn_from_outside(), arg, NULL);
}

static void forward_from_outside(void *arg)
{
    (void)arg;
    (void)ferry_forward(conn_from_outside(), kept);
}

/* Straight lines. */

static void consume_more(ferry_conn *conn, void *arg)
{
    const void *data;
    (void)arg;
    ferry_consume(conn, (size_t)ferry_peek(conn, &data) + 1);
}

static void consume_more_than_was_lent(void *arg)
{
    (void)arg;
    serve(1, &(ferry_service){.serve = consume_more});
}

static void yield_nowhere(void *arg)
{
    (void)arg;
    ferry_yield();
}

static void recv_in_a_callback(ferry_conn *conn, void *arg)
{
    (void)ferry_recv(conn, arg, 1);
}

static void recv_without_a_coroutine(void *arg)
{
    char byte;
    (void)arg;
    serve(1, &(ferry_service){.on_open = recv_in_a_callback, .arg = &byte});
}

static void recv_elsewhere(void *conn)
{
    char byte;
    (void)ferry_recv(conn, &byte, 1);
}

static void flush_elsewhere(void *conn)
{
    (void)ferry_flush(conn);
}

static void set_deadline_elsewhere(void *conn)
{
    ferry_conn_set_deadline(conn, 1000);
}

/* On whichever of the two loops it is not. */
static void spawn_elsewhere(ferry_conn *conn, void *arg)
{
    ferry_pool *pool = *(ferry_pool **)arg;
    unsigned other = ferry_conn_loop(conn) == ferry_pool_loop(pool, 0);
    void (*const elsewhere)(void *) = ((void (**)(void *))arg)[1];
    (void)ferry_join(ferry_spawn(ferry_pool_loop(pool, other), elsewhere, conn));
}

static void serve_elsewhere(void (*elsewhere)(void *))
{
    struct {
        ferry_pool *pool;
        void (*elsewhere)(void *);
    } both = {new_pool(2), elsewhere};
    ferry_listener *listener = ferry_listen(both.pool, "127.0.0.1:0",
                                            &(ferry_service){.serve = spawn_elsewhere, .arg = &both});
    assert_non_null(listener);
    (void)peer_connect(ferry_listener_address(listener));
    (void)ferry_pool_run(both.pool);
}

static void recv_on_another_loop(void *arg)
{
    (void)arg;
    serve_elsewhere(recv_elsewhere);
}

static void flush_on_another_loop(void *arg)
{
    (void)arg;
    serve_elsewhere(flush_elsewhere);
}

static void set_deadline_on_another_loop(void *arg)
{
    (void)arg;
    serve_elsewhere(set_deadline_elsewhere);
}

/* Waiting for each other. */

static void done_too_often(void *arg)
{
    (void)arg;
    ferry_wait_group_done(ferry_wait_group_new());
}

static void lock_twice_here(void *mutex)
{
    (void)ferry_mutex_lock(mutex);
    (void)ferry_mutex_lock(mutex);
}

static void unlock_here(void *mutex)
{
    ferry_mutex_unlock(mutex);
}

static void free_locked_here(void *mutex)
{
    (void)ferry_mutex_lock(mutex);
    ferry_mutex_free(mutex);
}

static void in_a_coroutine(void (*fn)(void *))
{
    ferry_pool *pool = new_pool(1);
    assert_non_null(ferry_spawn(ferry_pool_loop(pool, 0), fn, ferry_mutex_new()));
    (void)ferry_pool_run(pool);
}

static void lock_twice(void *arg)
{
    (void)arg;
    in_a_coroutine(lock_twice_here);
}

static void unlock_anothers(void *arg)
{
    (void)arg;
    in_a_coroutine(unlock_here);
}

static void free_locked(void *arg)
{
    (void)arg;
    in_a_coroutine(free_locked_here);
}

static const struct {
    void (*fn)(void *arg);
    const char *sentence;
} misuses[] = {
    {run_twice, "ferry: ferry_pool_run: called a second time\n"},
    {turn_one_of_two, "ferry: ferry_loop_turn: only the loop of a pool of one can be embedded\n"},
    {free_while_it_runs, "ferry: ferry_pool_free: the pool is running\n"},
    {free_in_a_turn, "ferry: ferry_pool_free: the pool is running\n"},
    {turn_in_a_turn, "ferry: ferry_loop_turn: the pool is running\n"},
    {turn_while_it_runs, "ferry: ferry_loop_turn: the pool is running\n"},
    {consume_what_is_not_there, "ferry: on_data returned 2 bytes as consumed, of 1 that it was given\n"},
    {set_context_from_outside, "ferry: ferry_conn_set_context: called outside of the connection's loop\n"},
    {forward_from_outside, "ferry: ferry_forward: called outside of the connection's loop\n"},
    {consume_more_than_was_lent, "ferry: ferry_consume: 2 bytes, of 1 that are there\n"},
    {yield_nowhere, "ferry: ferry_yield: called outside of a coroutine\n"},
    {recv_without_a_coroutine, "ferry: ferry_recv: called outside of a coroutine\n"},
    {recv_on_another_loop, "ferry: ferry_recv: called outside of the connection's loop\n"},
    {flush_on_another_loop, "ferry: ferry_flush: called outside of the connection's loop\n"},
    {set_deadline_on_another_loop, "ferry: ferry_conn_set_deadline: called outside of the connection's loop\n"},
    {done_too_often, "ferry: ferry_wait_group_done: more often than was added\n"},
    {lock_twice, "ferry: ferry_mutex_lock: this coroutine has locked it already\n"},
    {unlock_anothers, "ferry: ferry_mutex_unlock: this coroutine has not locked it\n"},
    {free_locked, "ferry: ferry_mutex_free: it is locked\n"},
};

static void a_callers_bug_ends_the_process_with_a_sentence(void)
{
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        case_row("%s", misuses[i].sentence);
        child_expect_abort(misuses[i].fn, NULL, misuses[i].sentence);
    }
}

const struct test_case test_cases[] = {
    {"a_callers_bug_ends_the_process_with_a_sentence", a_callers_bug_ends_the_process_with_a_sentence},
    {NULL, NULL},
};
