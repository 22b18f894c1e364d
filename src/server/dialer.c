/* SPDX-License-Identifier: MIT
 *
 * server: connecting, with back-off.
 *
 * The connection exists from the call on, so that there is something for on_close to report about. Each attempt looks the
 * name up again, on a worker, and tries its addresses one after the other.
 */
#include "base/clock.h"
#include "co/straight.h"
#include "loop/worker.h"
#include "server/pool.h"
#include "server/service.h"
#include "sys/sock.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>

enum { ADDRESSES = 8, TIMEOUT_MS = 5000, ATTEMPTS = 8, BACKOFF_MS = 50, BACKOFF_MAX_MS = 2000 };

struct dial {
    struct fy_service service; /* first: see dial_of() */
    ferry_connect_options options;
    struct fy_addr address;
    ferry_conn *conn; /* NULL when it has closed */
    struct fy_task starting;
    struct fy_job resolving;
    struct fy_timer timer; /* of an attempt that connects, or of the wait before the next */
    struct fy_sockaddr found[ADDRESSES];
    int count;        /* of found, or -errno */
    int next;         /* to try */
    unsigned attempt; /* under way, from 1 */
    int error;        /* of the last try */
    bool looking_up;  /* the worker still refers to this */
};

static void attempt(struct dial *d);
static void try_next(struct dial *d);

static ferry_loop *loop_of(const struct dial *d)
{
    return d->resolving.loop;
}

static void gone(struct fy_service *service, void *tag)
{
    struct dial *d = FY_CONTAINER(service, struct dial, service);
    (void)tag;
    fy_timer_disarm(&loop_of(d)->timers, &d->timer);
    d->conn = NULL;
    if (!d->looking_up)
        free(d);
}

static void give_up(struct dial *d, int error)
{
    fy_conn_fail(d->conn, error);
}

static void arm(struct dial *d, uint64_t ns)
{
    if (!fy_timer_arm(&loop_of(d)->timers, &d->timer, fy_now_ns() + ns))
        give_up(d, -ENOMEM);
}

/* Half to all of the back-off, by chance: clients of a fallen server do not return together. The chance is the clock's
 * low bits, scrambled (splitmix64): it need not be secret, only uneven. */
static uint64_t jitter(uint64_t ns)
{
    uint64_t x = fy_now_ns() + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    return ns / 2 + x % (ns / 2 + 1);
}

static void back_off(struct dial *d)
{
    if (d->attempt >= d->options.attempts) {
        give_up(d, d->error);
        return;
    }
    uint64_t ms = d->options.backoff_ms;
    for (unsigned i = 1; i < d->attempt && ms < d->options.backoff_max_ms; i++)
        ms *= 2;
    if (ms > d->options.backoff_max_ms)
        ms = d->options.backoff_max_ms;
    d->next = d->count = 0;
    arm(d, jitter(ms * FY_MS));
}

static void failed(struct dial *d, int error)
{
    struct fy_source *source = &d->conn->source;
    if (source->live)
        fy_poll_remove(loop_of(d)->poll, source);
    if (source->fd >= 0)
        fy_sys_close(source->fd);
    source->fd = -1;
    fy_timer_disarm(&loop_of(d)->timers, &d->timer);
    d->error = error;
    if (d->next < d->count)
        try_next(d);
    else
        back_off(d);
}

static void connected(struct dial *d)
{
    fy_timer_disarm(&loop_of(d)->timers, &d->timer);
    fy_conn_open(d->conn, d->conn->source.fd); /* cannot fail: it is being watched already */
}

/* Nobody listens there. It is reset, or the port would not be free for its server for a while (RFC 9293, 3.3.2: TIME-WAIT). */
static int refuse_itself(int fd)
{
    fy_sys_reset_on_close(fd);
    return -ECONNREFUSED;
}

static void happened(struct fy_source *source, const struct fy_completion *completion)
{
    struct dial *d = FY_CONTAINER(source, ferry_conn, source)->tag;
    if (completion->event == FY_SOON || ferry_conn_error(d->conn) < 0)
        return; /* nothing yet; or it is being given up */
    int error = completion->event == FY_BROKEN ? (int)completion->result : fy_sys_take_error(source->fd);
    if (error == 0 && fy_sock_is_itself(source->fd))
        error = refuse_itself(source->fd);
    if (error < 0)
        failed(d, error);
    else
        connected(d);
}

static void try_next(struct dial *d)
{
    struct fy_source *source = &d->conn->source;
    int fd = fy_sock_connect(&d->found[d->next++], &d->service.user.socket);
    if (fd < 0) {
        failed(d, fd);
        return;
    }
    source->fd = fd;
    source->done = happened;
    int error = fy_poll_add(loop_of(d)->poll, source);
    if (error < 0)
        failed(d, error);
    else
        arm(d, d->options.timeout_ms * FY_MS);
}

static void look_up(struct fy_job *job)
{
    struct dial *d = FY_CONTAINER(job, struct dial, resolving);
    d->count = fy_addr_resolve(&d->address, false, d->found, ADDRESSES);
}

static void try_found(struct dial *d)
{
    d->next = 0;
    if (d->count > 0)
        try_next(d);
    else
        failed(d, d->count);
}

static void looked_up(struct fy_task *task)
{
    struct dial *d = FY_CONTAINER(task, struct dial, resolving.done);
    d->looking_up = false;
    if (!d->conn)
        free(d);
    else if (ferry_conn_error(d->conn) == 0)
        try_found(d);
}

/* Only a name needs a worker. Without one, who dials first connects first. */
static void attempt(struct dial *d)
{
    d->attempt++;
    if (fy_addr_is_literal(&d->address)) {
        look_up(&d->resolving);
        try_found(d);
        return;
    }
    d->looking_up = true;
    fy_workers_submit(loop_of(d)->workers, &d->resolving);
}

static void timed_out(struct fy_timer *timer)
{
    struct dial *d = FY_CONTAINER(timer, struct dial, timer);
    if (d->conn->source.fd >= 0)
        failed(d, -ETIMEDOUT);
    else
        attempt(d);
}

static void start(struct fy_task *task)
{
    struct dial *d = FY_CONTAINER(task, struct dial, starting);
    fy_conn_attach(d->conn);
    if (loop_of(d)->stopping)
        give_up(d, -ECANCELED);
    else
        attempt(d);
}

static unsigned value_or(unsigned value, unsigned otherwise)
{
    return value ? value : otherwise;
}

static void set_options(struct dial *d, const ferry_connect_options *given)
{
    const ferry_connect_options none = {0};
    const ferry_connect_options *o = given ? given : &none;
    d->options.timeout_ms = value_or(o->timeout_ms, TIMEOUT_MS);
    d->options.attempts = value_or(o->attempts, ATTEMPTS);
    d->options.backoff_ms = value_or(o->backoff_ms, BACKOFF_MS);
    d->options.backoff_max_ms = value_or(o->backoff_max_ms, BACKOFF_MAX_MS);
}

/* Makes a dial, ready to be posted; `straight` for ferry_dial(). NULL with errno. */
static struct dial *new_dial(ferry_loop *loop, const char *address, const ferry_service *service, bool straight)
{
    struct dial *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    int error = fy_addr_parse(address, &d->address);
    if (error == 0)
        error = fy_service_init(&d->service, service, &loop->pool->budget);
    if (error == 0 && straight)
        fy_service_straight(&d->service);
    if (error == 0 && !(d->conn = fy_conn_new(loop, &d->service.driver, d)))
        error = -ENOMEM;
    if (error < 0) {
        free(d);
        errno = -error;
        return NULL;
    }
    d->service.gone = gone;
    d->starting.run = start;
    d->resolving.work = look_up;
    d->resolving.done.run = looked_up;
    d->resolving.loop = loop;
    d->timer.fire = timed_out;
    return d;
}

int ferry_address_check(const char *address)
{
    struct fy_addr parsed;
    return fy_addr_parse(address, &parsed);
}

int ferry_connect(ferry_loop *loop, const char *address, const ferry_service *service,
                  const ferry_connect_options *options)
{
    struct dial *d = new_dial(loop, address, service, false);
    if (!d)
        return -errno;
    set_options(d, options);
    fy_loop_post(loop, &d->starting);
    return 0;
}

/* Waits for on_open or on_close of the coroutine style (coroutine.c), whichever comes. */
static int await_open(ferry_conn *conn)
{
    struct fy_straight *s = fy_straight_of(conn);
    s->dialer = fy_co_self();
    int result = fy_co_park("ferry_dial", conn, 0);
    s->dialer = NULL;
    if (result == 1)
        return 0;
    fy_conn_fail(conn, -ECANCELED); /* has no effect on one that failed by itself */
    return result < 0 ? result : ferry_conn_error(conn);
}

ferry_conn *ferry_dial(const char *address, unsigned timeout_ms)
{
    const ferry_service nothing = {0};
    return ferry_dial_as(address, timeout_ms, &nothing);
}

ferry_conn *ferry_dial_as(const char *address, unsigned timeout_ms, const ferry_service *service)
{
    const struct fy_co *co = fy_co_need("ferry_dial");
    if (!service || service->serve || fy_service_has_callbacks(service)) {
        errno = EINVAL;
        return NULL;
    }
    const ferry_connect_options once = {.timeout_ms = timeout_ms, .attempts = 1};
    struct dial *d = new_dial(co->loop, address, service, true);
    if (!d)
        return NULL;
    set_options(d, &once);
    ferry_conn *conn = ferry_conn_ref(d->conn);
    fy_loop_post(co->loop, &d->starting);
    int error = await_open(conn);
    if (error == 0)
        return conn;
    ferry_conn_unref(conn);
    errno = -error;
    return NULL;
}
