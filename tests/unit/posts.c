/* SPDX-License-Identifier: MIT
 *
 * ferry_post(): each function once, on the loop's thread, in the order of each posting thread; one wake-up for many.
 */
#include "case.h"
#include "host.h"
#include "inside.h"

#include <stdlib.h>

enum { THREADS = 8, POSTS = 20000 };

struct poster {
    struct host *host;
    struct count *ran;
    size_t posts;
    size_t next; /* sequence number that must run next */
    pthread_t thread;
    struct item {
        struct poster *poster;
        size_t sequence;
    } * items;
};

static void run_item(void *arg)
{
    struct item *item = arg;
    assert_false(inside_call());
    assert_ptr_equal(ferry_loop_current(), ferry_pool_loop(item->poster->host->pool, 0));
    assert_int_equal(item->sequence, item->poster->next);
    item->poster->next++;
    count_add(item->poster->ran, 1);
}

static void *post_all(void *arg)
{
    struct poster *poster = arg;
    for (size_t i = 0; i < poster->posts; i++) {
        poster->items[i] = (struct item){.poster = poster, .sequence = i};
        ferry_post(ferry_pool_loop(poster->host->pool, 0), run_item, &poster->items[i]);
    }
    return NULL;
}

static void start_poster(struct poster *poster, struct host *host, struct count *ran)
{
    size_t posts = scale(POSTS);
    *poster = (struct poster){.host = host, .ran = ran, .posts = posts, .items = calloc(posts, sizeof(struct item))};
    assert_non_null(poster->items);
    assert_int_equal(pthread_create(&poster->thread, NULL, post_all, poster), 0);
}

static void join_poster(struct poster *poster)
{
    assert_int_equal(pthread_join(poster->thread, NULL), 0);
}

static void check_poster(struct poster *poster)
{
    assert_int_equal(poster->next, poster->posts);
    free(poster->items);
}

static void posts_of_many_threads_run_once_and_in_order(void)
{
    struct host host;
    struct count ran = {0};
    struct poster posters[THREADS];
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    for (size_t i = 0; i < THREADS; i++)
        start_poster(&posters[i], &host, &ran);
    for (size_t i = 0; i < THREADS; i++)
        join_poster(&posters[i]);
    count_wait(&ran, THREADS * posters[0].posts);
    host_stop(&host);
    for (size_t i = 0; i < THREADS; i++)
        check_poster(&posters[i]);
}

struct gate {
    struct count reached, opened;
};

static void wait_at_gate(void *arg)
{
    struct gate *gate = arg;
    count_add(&gate->reached, 1);
    count_wait(&gate->opened, 1);
}

static void many_posts_cost_few_wakeups(void)
{
    struct host host;
    struct count ran = {0};
    struct gate gate = {.reached = {0}};
    struct poster posters[THREADS];
    ferry_loop_counters before;
    ferry_loop_counters after;
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    host_counters(&host, 0, &before);
    ferry_post(ferry_pool_loop(host.pool, 0), wait_at_gate, &gate);
    count_wait(&gate.reached, 1);
    for (size_t i = 0; i < THREADS; i++)
        start_poster(&posters[i], &host, &ran);
    for (size_t i = 0; i < THREADS; i++)
        join_poster(&posters[i]);
    count_add(&gate.opened, 1);
    count_wait(&ran, THREADS * posters[0].posts);
    host_counters(&host, 0, &after);
    host_stop(&host);
    for (size_t i = 0; i < THREADS; i++)
        check_poster(&posters[i]);
    assert_true(after.posts - before.posts >= THREADS * posters[0].posts);
    /* One for the gate, one for the posts behind it, one for the question; and one where each of them raced. */
    assert_in_range(after.wakeups - before.wakeups, 0, 6);
}

struct chain {
    ferry_loop *loop;
    struct count ended;
    size_t links;
    bool stopped;
};

static void next_link(void *arg)
{
    struct chain *chain = arg;
    assert_false(inside_call());
    chain->links++;
    if (chain->stopped)
        count_add(&chain->ended, 1);
    else
        ferry_post(chain->loop, next_link, chain);
}

static void stop_chain(void *arg)
{
    ((struct chain *)arg)->stopped = true;
}

/* A function that posts itself for ever leaves room for timers and for other posts. */
static void posting_from_a_post_starves_nobody(void)
{
    struct host host;
    host_init(&host, NULL);
    host_run(&host, NULL, NULL);
    struct chain chain = {.loop = ferry_pool_loop(host.pool, 0)};
    ferry_post(chain.loop, next_link, &chain);
    host_settle(&host);
    assert_non_null(ferry_after(chain.loop, 20, stop_chain, &chain));
    count_wait(&chain.ended, 1);
    assert_true(chain.links > 1);
    host_stop(&host);
}

static void count_one(void *arg)
{
    count_add(arg, 1);
}

static void posts_before_run_and_after_stop_run(void)
{
    struct count ran = {0};
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(pool);
    ferry_post(ferry_pool_loop(pool, 0), count_one, &ran);
    ferry_post(ferry_pool_loop(pool, 1), count_one, &ran);
    assert_int_equal(count_get(&ran), 0);
    ferry_pool_stop(pool);
    assert_int_equal(ferry_pool_run(pool), 0);
    ferry_post(ferry_pool_loop(pool, 0), count_one, &ran);
    ferry_post(ferry_pool_loop(pool, 1), count_one, &ran);
    ferry_pool_free(pool);
    assert_int_equal(count_get(&ran), 4);
}

struct repost {
    ferry_loop *loop;
    struct count ran;
};

static void post_another(void *arg)
{
    struct repost *repost = arg;
    count_add(&repost->ran, 1);
    ferry_post(repost->loop, count_one, &repost->ran);
}

static void posts_made_while_freeing_run_too(void)
{
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 2});
    assert_non_null(pool);
    struct repost same = {.loop = ferry_pool_loop(pool, 0)};
    struct repost other = {.loop = ferry_pool_loop(pool, 0)};
    ferry_post(ferry_pool_loop(pool, 0), post_another, &same);
    ferry_post(ferry_pool_loop(pool, 1), post_another, &other);
    ferry_pool_free(pool);
    assert_int_equal(count_get(&same.ran), 2);
    assert_int_equal(count_get(&other.ran), 2);
}

struct ring {
    ferry_pool *pool;
    size_t left;
    struct count done;
};

static void pass_on(void *arg)
{
    struct ring *ring = arg;
    unsigned loops = ferry_pool_size(ring->pool);
    assert_ptr_equal(ferry_loop_current(), ferry_pool_loop(ring->pool, (unsigned)(ring->left % loops)));
    if (ring->left == 0)
        count_add(&ring->done, 1);
    else
        ferry_post(ferry_pool_loop(ring->pool, (unsigned)(--ring->left % loops)), pass_on, ring);
}

/* A token goes round over four loops: each post is seen, and what was written before it is seen after it. */
static void loops_post_to_each_other(void)
{
    struct host host;
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 4});
    struct ring ring = {.pool = host.pool, .left = scale(20000) * 4};
    ferry_post(ferry_pool_loop(host.pool, 0), pass_on, &ring);
    count_wait(&ring.done, 1);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"posts_of_many_threads_run_once_and_in_order", posts_of_many_threads_run_once_and_in_order},
    {"many_posts_cost_few_wakeups", many_posts_cost_few_wakeups},
    {"posting_from_a_post_starves_nobody", posting_from_a_post_starves_nobody},
    {"posts_before_run_and_after_stop_run", posts_before_run_and_after_stop_run},
    {"posts_made_while_freeing_run_too", posts_made_while_freeing_run_too},
    {"loops_post_to_each_other", loops_post_to_each_other},
    {NULL, NULL},
};
