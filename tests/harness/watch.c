/* SPDX-License-Identifier: MIT
 *
 * The open connections are remembered by address: a callback for one that is not among them came before on_open or
 * after on_close.
 */
#include "watch.h"

#include "case.h"
#include "inside.h"

#include <stdlib.h>

struct seen {
    struct seen *next;
    ferry_conn *conn;
    bool busy; /* one of its callbacks is running */
    bool eof;
    bool high; /* on_high_water was called, on_low_water is next */
};

static struct seen **place_of(struct watch *watch, const ferry_conn *conn)
{
    struct seen **place = &watch->table[((uintptr_t)conn >> 6) % WATCH_BUCKETS];
    while (*place != NULL && (*place)->conn != conn)
        place = &(*place)->next;
    return place;
}

static void check_thread(const ferry_conn *conn)
{
    assert_false(inside_call());
    assert_ptr_equal(ferry_loop_current(), ferry_conn_loop(conn));
}

/* The connection of a callback that begins. */
static struct seen *enter(struct watch *watch, ferry_conn *conn)
{
    check_thread(conn);
    (void)pthread_mutex_lock(&watch->lock);
    struct seen *seen = *place_of(watch, conn);
    assert_non_null(seen);
    assert_false(seen->busy);
    seen->busy = true;
    (void)pthread_mutex_unlock(&watch->lock);
    return seen;
}

static void leave(struct watch *watch, struct seen *seen)
{
    (void)pthread_mutex_lock(&watch->lock);
    assert_true(seen->busy);
    seen->busy = false;
    (void)pthread_mutex_unlock(&watch->lock);
}

static void keep(struct watch *watch, ferry_conn *conn)
{
    watch->kept = realloc(watch->kept, (watch->kept_count + 1) * sizeof(ferry_conn *));
    assert_non_null(watch->kept);
    watch->kept[watch->kept_count++] = ferry_conn_ref(conn);
}

static struct seen *begin_seen(struct watch *watch, ferry_conn *conn)
{
    struct seen *seen = calloc(1, sizeof *seen);
    assert_non_null(seen);
    *seen = (struct seen){.conn = conn, .busy = true};
    (void)pthread_mutex_lock(&watch->lock);
    struct seen **place = place_of(watch, conn);
    assert_null(*place);
    *place = seen;
    if (watch->keep)
        keep(watch, conn);
    (void)pthread_mutex_unlock(&watch->lock);
    count_add(&watch->opened, 1);
    return seen;
}

static void open_seen(ferry_conn *conn, void *arg)
{
    struct watch *watch = arg;
    check_thread(conn);
    struct seen *seen = begin_seen(watch, conn);
    if (watch->user.on_open != NULL)
        watch->user.on_open(conn, watch->user.arg);
    leave(watch, seen);
}

/* The coroutine is no callback: on_close may come while it runs. */
static void serve_seen(ferry_conn *conn, void *arg)
{
    struct watch *watch = arg;
    assert_non_null(ferry_self());
    assert_ptr_equal(ferry_loop_current(), ferry_conn_loop(conn));
    leave(watch, begin_seen(watch, conn));
    watch->user.serve(conn, watch->user.arg);
    count_add(&watch->served, 1);
}

static size_t data_seen(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct watch *watch = arg;
    struct seen *seen = enter(watch, conn);
    assert_false(seen->eof);
    assert_true(len > 0);
    count_add(&watch->data, 1);
    size_t used = watch->user.on_data(conn, data, len, watch->user.arg);
    leave(watch, seen);
    return used;
}

static void eof_seen(ferry_conn *conn, void *arg)
{
    struct watch *watch = arg;
    struct seen *seen = enter(watch, conn);
    assert_false(seen->eof);
    seen->eof = true;
    count_add(&watch->eofs, 1);
    watch->user.on_eof(conn, watch->user.arg);
    leave(watch, seen);
}

static void drain_seen(ferry_conn *conn, void *arg)
{
    struct watch *watch = arg;
    struct seen *seen = enter(watch, conn);
    if (watch->user.on_drain != NULL)
        watch->user.on_drain(conn, watch->user.arg);
    leave(watch, seen);
    count_add(&watch->drains, 1);
}

static size_t high_mark(const struct watch *watch)
{
    return watch->user.high_water != 0 ? watch->user.high_water : 1024 * 1024;
}

static size_t low_mark(const struct watch *watch)
{
    return watch->user.low_water != 0 ? watch->user.low_water : high_mark(watch) / 2;
}

static void high_seen(ferry_conn *conn, size_t pending, void *arg)
{
    struct watch *watch = arg;
    struct seen *seen = enter(watch, conn);
    assert_false(seen->high);
    assert_true(pending > high_mark(watch));
    seen->high = true;
    count_add(&watch->highs, 1);
    if (watch->user.on_high_water != NULL)
        watch->user.on_high_water(conn, pending, watch->user.arg);
    leave(watch, seen);
}

static void low_seen(ferry_conn *conn, size_t pending, void *arg)
{
    struct watch *watch = arg;
    struct seen *seen = enter(watch, conn);
    assert_true(seen->high);
    assert_true(pending <= low_mark(watch));
    seen->high = false;
    count_add(&watch->lows, 1);
    if (watch->user.on_low_water != NULL)
        watch->user.on_low_water(conn, pending, watch->user.arg);
    leave(watch, seen);
}

/* Forgets the connection. Returns whether it had been opened. */
static bool forget(struct watch *watch, const ferry_conn *conn)
{
    (void)pthread_mutex_lock(&watch->lock);
    struct seen **place = place_of(watch, conn);
    struct seen *seen = *place;
    if (seen != NULL) {
        assert_false(seen->busy);
        *place = seen->next;
    }
    (void)pthread_mutex_unlock(&watch->lock);
    free(seen);
    return seen != NULL;
}

static void close_seen(ferry_conn *conn, int reason, void *arg)
{
    struct watch *watch = arg;
    check_thread(conn);
    bool was_open = forget(watch, conn);
    assert_true(was_open || watch->dials);
    assert_reason(ferry_conn_error(conn), reason);
    ferry_stats stats;
    ferry_conn_stats(conn, &stats);
    assert_int_not_equal(stats.verdict, FERRY_VERDICT_OPEN);
    assert_int_equal(stats.queued, stats.written + stats.unsent);
    if (watch->user.on_close != NULL)
        watch->user.on_close(conn, reason, watch->user.arg);
    (void)pthread_mutex_lock(&watch->lock);
    watch->last_reason = reason;
    watch->last_stats = stats;
    (void)pthread_mutex_unlock(&watch->lock);
    count_add(was_open ? &watch->closed : &watch->failed, 1);
}

void watch_init(struct watch *watch, const ferry_service *user)
{
    *watch = (struct watch){.user = *user, .service = *user};
    assert_int_equal(pthread_mutex_init(&watch->lock, NULL), 0);
    watch->service.arg = watch;
    watch->service.on_close = close_seen;
    if (user->serve != NULL) {
        watch->service.serve = serve_seen;
        return;
    }
    watch->service.on_open = open_seen;
    watch->service.on_data = user->on_data != NULL ? data_seen : NULL;
    watch->service.on_eof = user->on_eof != NULL ? eof_seen : NULL;
    watch->service.on_drain = drain_seen;
    watch->service.on_high_water = high_seen;
    watch->service.on_low_water = low_seen;
}

void watch_fini(struct watch *watch)
{
    assert_int_equal(count_get(&watch->opened), count_get(&watch->closed));
    if (watch->user.serve != NULL)
        assert_int_equal(count_get(&watch->opened), count_get(&watch->served));
    for (size_t i = 0; i < WATCH_BUCKETS; i++)
        assert_null(watch->table[i]);
    for (size_t i = 0; i < watch->kept_count; i++)
        ferry_conn_unref(watch->kept[i]);
    free(watch->kept);
    assert_int_equal(pthread_mutex_destroy(&watch->lock), 0);
}

ferry_conn *watch_conn(struct watch *watch, size_t index)
{
    assert_true(watch->keep);
    count_wait(&watch->opened, index + 1);
    (void)pthread_mutex_lock(&watch->lock);
    ferry_conn *conn = watch->kept[index];
    (void)pthread_mutex_unlock(&watch->lock);
    return conn;
}

int watch_reason(struct watch *watch, size_t index, ferry_stats *stats)
{
    count_wait(&watch->closed, index + 1);
    (void)pthread_mutex_lock(&watch->lock);
    int reason = watch->last_reason;
    if (stats != NULL)
        *stats = watch->last_stats;
    (void)pthread_mutex_unlock(&watch->lock);
    return reason;
}
