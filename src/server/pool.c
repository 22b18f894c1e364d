/* SPDX-License-Identifier: MIT
 *
 * server: pools: loops, their threads, and how they stop.
 *
 * Stopping is asked for by a counter in each loop and a ring of its bell, which is all that a signal handler may do. Each
 * loop sees it after its turn, closes what has nothing under way, and goes on turning until the rest has finished, the
 * grace time is over, or it is asked a second time.
 */
#include "server/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "co/overflow.h"
#include "sys/sys.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 1024, GRACE_MS = 5000, STUBBORN_ROUNDS = 10000 };

struct fy_list fy_pools = {&fy_pools, &fy_pools};
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;

static unsigned cores(void)
{
    cpu_set_t allowed[8] = {0}; /* 8192, as many as Linux can be built for; sched_setaffinity(2) */
    if (sched_getaffinity(0, sizeof allowed, allowed) != 0)
        return 1;
    unsigned count = (unsigned)CPU_COUNT_S(sizeof allowed, allowed);
    return count < MOST_THREADS ? count : MOST_THREADS;
}

static void end_loop(ferry_loop *loop)
{
    fy_cos_fini(loop);
    fy_loop_fini(loop);
}

static int start_loop(ferry_loop *loop, const struct fy_backend *backend)
{
    int error = fy_loop_init(loop, backend);
    if (error == 0 && (error = fy_cos_init(loop)) < 0)
        fy_loop_fini(loop);
    return error;
}

static int start_loops(ferry_pool *pool)
{
    for (unsigned i = 0; i < pool->size; i++) {
        ferry_loop *loop = &pool->loops[i];
        int error = start_loop(loop, pool->backend.backend);
        if (error < 0) {
            while (i > 0)
                end_loop(&pool->loops[--i]);
            return error;
        }
        loop->pool = pool;
        loop->workers = pool->workers;
        loop->index = i;
        loop->bury = fy_conn_bury;
    }
    return 0;
}

static int init_pool(ferry_pool *pool)
{
    const ferry_pool_options *o = &pool->options;
    if (o->threads > MOST_THREADS || o->backend > FERRY_BACKEND_URING)
        return -EINVAL;
    int error = fy_backend_choose(o->backend, &pool->backend);
    if (error < 0)
        return error;
    pool->size = o->threads ? o->threads : cores();
    pool->budget.limit = o->max_pending;
    fy_list_init(&pool->listeners);
    pthread_mutex_init(&pool->lock, NULL);
    atomic_init(&pool->listening, true);
    pool->loops = calloc(pool->size, sizeof *pool->loops);
    pool->threads = calloc(pool->size, sizeof *pool->threads);
    pool->workers = fy_workers_new();
    if (!pool->loops || !pool->threads || !pool->workers)
        return -ENOMEM;
    error = start_loops(pool);
    if (error < 0 && fy_backend_fall_back(&pool->backend, error))
        error = start_loops(pool);
    if (error == 0 && o->handle_signals && (error = fy_signals_claim(pool)) < 0)
        for (unsigned i = 0; i < pool->size; i++)
            end_loop(&pool->loops[i]);
    return error;
}

static void release(ferry_pool *pool)
{
    if (pool->workers)
        fy_workers_free(pool->workers);
    free(pool->loops);
    free(pool->threads);
    free(pool);
}

ferry_pool *ferry_pool_new(const ferry_pool_options *options)
{
    ferry_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    if (options)
        pool->options = *options;
    int error = init_pool(pool);
    if (error == 0) {
        pthread_mutex_lock(&pools_lock);
        fy_list_append(&fy_pools, &pool->link);
        pthread_mutex_unlock(&pools_lock);
        return pool;
    }
    release(pool);
    errno = -error;
    return NULL;
}

ferry_loop *ferry_pool_loop(ferry_pool *pool, unsigned index)
{
    return index < pool->size ? &pool->loops[index] : NULL;
}

unsigned ferry_pool_size(const ferry_pool *pool)
{
    return pool->size;
}

const char *ferry_pool_backend(const ferry_pool *pool)
{
    return pool->backend.name;
}

static void ring(ferry_loop *loop)
{
    fy_sys_ring(loop->bell.fd);
}

void ferry_pool_stop(ferry_pool *pool)
{
    for (unsigned i = 0; i < pool->size; i++) {
        atomic_fetch_add(&pool->loops[i].stops, 1);
        ring(&pool->loops[i]);
    }
}

/* Stopping, on the loop's own thread. */

static void stop_listening(ferry_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    for (struct fy_list *link = pool->listeners.next; link != &pool->listeners; link = link->next)
        fy_listener_stop(fy_listener_of(link));
    atomic_store(&pool->listening, false);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 1; i < pool->size; i++)
        ring(&pool->loops[i]);
}

static uint64_t grace_ns(const ferry_loop *loop)
{
    unsigned ms = loop->pool->options.grace_ms;
    return (ms ? ms : GRACE_MS) * FY_MS;
}

static void begin_stop(ferry_loop *loop)
{
    loop->stopping = true;
    loop->cut_at = fy_now_ns() + grace_ns(loop);
    if (loop->index == 0)
        stop_listening(loop->pool);
    for (struct fy_list *link = loop->conns.next; link != &loop->conns; link = link->next)
        fy_conn_retire(FY_CONTAINER(link, ferry_conn, link));
    fy_cos_cancel(loop, false);
}

static void cut(ferry_loop *loop)
{
    for (struct fy_list *link = loop->conns.next; link != &loop->conns; link = link->next)
        if (ferry_conn_error(FY_CONTAINER(link, ferry_conn, link)) == 0) {
            fy_conn_fail(FY_CONTAINER(link, ferry_conn, link), -ECANCELED);
            atomic_fetch_add(&loop->pool->cuts, 1);
        }
    fy_cos_cancel(loop, true);
}

/* What is still there when the grace time is over has been cut; a coroutine that goes on in spite of being cancelled gets
 * as long again, is named, and is left behind as it is. */
static void run_out(ferry_loop *loop, uint64_t now)
{
    if (!loop->cut) {
        cut(loop);
        loop->cut = true;
        loop->cut_at = now + grace_ns(loop);
        return;
    }
    fy_cos_report(loop);
    loop->abandoned = true;
}

static bool is_done(ferry_loop *loop)
{
    return loop->stopping && !atomic_load(&loop->pool->listening) && fy_mailbox_empty(&loop->mail) &&
           fy_list_empty(&loop->conns) && loop->cos->count == 0;
}

/* One turn, with what stopping asks for. Returns 1, 0 when the loop is done, or -errno. */
static int turn(ferry_loop *loop, int64_t timeout_ns)
{
    unsigned stops = atomic_load(&loop->stops);
    if (stops > 0 && !loop->stopping)
        begin_stop(loop);
    if (loop->stopping) {
        uint64_t now = fy_now_ns();
        if (now >= loop->cut_at || (stops > 1 && !loop->cut))
            run_out(loop, now);
        if (is_done(loop) || loop->abandoned)
            return 0;
        int64_t grace = (int64_t)(loop->cut_at - now);
        if (timeout_ns < 0 || grace < timeout_ns)
            timeout_ns = grace;
    }
    int error = fy_loop_turn(loop, timeout_ns);
    return error < 0 ? error : 1;
}

/* The backend has failed, and this loop turns no more: its connections, and those it would get, must not wait for ever. */
static void stop_all(ferry_loop *loop, int error)
{
    int none = 0;
    atomic_compare_exchange_strong(&loop->pool->error, &none, error);
    fy_log(FERRY_LOG_ERROR, "loop %u has failed, and the pool stops: %s", loop->index, strerror(-error));
    ferry_pool_stop(loop->pool);
    if (loop->index == 0)
        stop_listening(loop->pool);
}

static void run(ferry_loop *loop)
{
    int result = 1;
    struct fy_alarm alarm;
    fy_overflow_enter(&alarm);
    while (result > 0)
        result = turn(loop, -1);
    if (result < 0)
        stop_all(loop, result);
    fy_loop_flush(loop);
    fy_overflow_leave(&alarm);
}

static void *run_thread(void *arg)
{
    ferry_loop *loop = arg;
    sigset_t before;
    fy_sys_hold_pipe(&before);
    pthread_mutex_lock(&loop->pool->lock);
    bool abandoned = loop->pool->abandoned;
    pthread_mutex_unlock(&loop->pool->lock);
    if (!abandoned)
        run(loop);
    return NULL;
}

/* Starts loops 1.. ; they wait behind the lock, so that either all run or none. */
static int start_threads(ferry_pool *pool)
{
    int error = 0;
    unsigned i = 1;
    pthread_mutex_lock(&pool->lock);
    for (; i < pool->size && error == 0; i++)
        error = fy_sys_thread(run_thread, &pool->loops[i], &pool->threads[i]);
    pool->abandoned = error < 0;
    pthread_mutex_unlock(&pool->lock);
    if (error < 0)
        for (unsigned started = 1; started < i - 1; started++)
            pthread_join((pthread_t)pool->threads[started], NULL);
    return error;
}

int ferry_pool_run(ferry_pool *pool)
{
    if (pool->started)
        fy_fatal("ferry_pool_run: called a second time");
    sigset_t before;
    fy_sys_hold_pipe(&before);
    int error = start_threads(pool);
    if (error == 0) {
        pool->started = true;
        atomic_store(&pool->running, true);
        fy_watchdog_start(pool);
        run(&pool->loops[0]);
        fy_watchdog_stop(pool);
        for (unsigned i = 1; i < pool->size; i++)
            pthread_join((pthread_t)pool->threads[i], NULL);
        error = atomic_load(&pool->error);
        atomic_store(&pool->running, false);
    }
    fy_sys_release_pipe(&before);
    unsigned cuts = atomic_load(&pool->cuts);
    if (cuts > 0)
        fy_log(FERRY_LOG_WARNING, "stopping: connections cut before they had finished: %u", cuts);
    return error;
}

int ferry_loop_timeout(ferry_loop *loop)
{
    int64_t idle = fy_loop_idle_ns(loop);
    if (loop->stopping) {
        int64_t grace = (int64_t)(loop->cut_at - fy_now_ns());
        idle = idle < 0 || grace < idle ? (grace > 0 ? grace : 0) : idle;
    }
    int64_t ms = idle <= 0 ? idle : (idle + (int64_t)FY_MS - 1) / (int64_t)FY_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* By ferry_pool_run(), or this thread is inside one of its callbacks. */
static bool is_running(const ferry_pool *pool)
{
    return atomic_load(&pool->running) || (fy_loop_current && fy_loop_current->pool == pool);
}

int ferry_loop_turn(ferry_loop *loop, int timeout_ms)
{
    if (loop->pool->size > 1)
        fy_fatal("ferry_loop_turn: only the loop of a pool of one can be embedded");
    if (is_running(loop->pool))
        fy_fatal("ferry_loop_turn: the pool is running");
    int result = turn(loop, timeout_ms < 0 ? -1 : timeout_ms * (int64_t)FY_MS);
    fy_loop_flush(loop);
    atomic_store(&loop->asleep, true); /* for all a poster knows: it will ring, and the descriptor become readable */
    if (fy_loop_idle_ns(loop) == 0)
        ring(loop);
    return result;
}

/* One round of what is posted on a loop; false when nothing is open or posted on it. */
static bool run_rest(ferry_loop *loop, unsigned round)
{
    bool coroutines = loop->cos->count > 0 && !loop->abandoned;
    if (fy_list_empty(&loop->conns) && fy_mailbox_empty(&loop->mail) && !coroutines)
        return false;
    if (coroutines && round >= STUBBORN_ROUNDS) {
        fy_cos_report(loop);
        loop->abandoned = true;
    }
    cut(loop);
    fy_loop_finish(loop);
    return true;
}

/* Runs what is posted until nothing is left on any loop. Timers do not fire any more. */
static void run_dry(ferry_pool *pool)
{
    bool again = true;
    for (unsigned round = 0; again; round++) {
        again = false;
        for (unsigned i = 0; i < pool->size; i++)
            again |= run_rest(&pool->loops[i], round);
    }
}

void ferry_pool_free(ferry_pool *pool)
{
    if (!pool)
        return;
    if (is_running(pool))
        fy_fatal("ferry_pool_free: the pool is running");
    fy_signals_release(pool);
    pthread_mutex_lock(&pools_lock);
    fy_list_remove(&pool->link);
    pthread_mutex_unlock(&pools_lock);
    for (unsigned i = 0; i < pool->size; i++)
        pool->loops[i].stopping = true;
    stop_listening(pool);
    run_dry(pool);
    fy_workers_free(pool->workers); /* their last jobs may still post */
    pool->workers = NULL;
    run_dry(pool);
    for (unsigned i = 0; i < pool->size; i++)
        end_loop(&pool->loops[i]);
    for (struct fy_list *link; (link = fy_list_take(&pool->listeners));)
        fy_listener_free(fy_listener_of(link));
    pthread_mutex_destroy(&pool->lock);
    release(pool);
}
