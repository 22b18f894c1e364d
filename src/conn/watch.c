/* SPDX-License-Identifier: MIT
 *
 * conn: the time limits. One timer a connection, armed for the first that may run out; activity does not touch it: when
 * it fires it looks when bytes last moved, and is armed for the rest. So a message costs no timer call.
 *
 * The minimum rate is measured in acknowledged bytes (what the kernel has taken says little: it takes megabytes from us
 * before the peer has read any), over windows long enough that a slow peer's acknowledgements do not come in lumps.
 */
#include "base/clock.h"
#include "conn/conn.h"

#include <errno.h>

enum { WINDOW_MIN_S = 3, WINDOW_MAX_S = 30, WINDOW_BYTES = 65536, STARVED_MS = 10 };

/* The least time over which a rate is judged, in nanoseconds. */
static uint64_t span(uint64_t rate)
{
    uint64_t seconds = WINDOW_BYTES / rate;
    if (seconds < WINDOW_MIN_S)
        seconds = WINDOW_MIN_S;
    if (seconds > WINDOW_MAX_S)
        seconds = WINDOW_MAX_S;
    return seconds * FY_SECOND;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void fy_watch(ferry_conn *c)
{
    const struct fy_driver *d = c->driver;
    uint64_t due = UINT64_MAX;
    if (c->out.closed)
        return;
    if (d->idle_ns && !c->closing)
        due = sooner(due, c->active + d->idle_ns);
    if (d->min_rate)
        due = sooner(due, c->loop->now + FY_SECOND);
    if (c->closing)
        due = sooner(due, c->linger_since + d->linger_ns);
    if (c->starved)
        due = sooner(due, c->loop->now + STARVED_MS * FY_MS);
    if (due == UINT64_MAX)
        fy_timer_disarm(&c->loop->timers, &c->timer);
    else if (!fy_timer_arm(&c->loop->timers, &c->timer, due))
        fy_conn_fail(c, -ENOMEM);
}

/* The window of min_rate. Few have one, so it lies behind the connections that do. */
struct rate {
    uint64_t since, mark; /* its start, and what had been acknowledged by then; 0 = none has begun */
};

size_t fy_watch_extra(const struct fy_driver *driver)
{
    return driver->min_rate ? sizeof(struct rate) : 0;
}

static struct rate *rate_of(ferry_conn *c)
{
    return (struct rate *)(void *)((char *)(c + 1) + c->driver->extra);
}

/* Whether the peer is to take something now. What only the kernel still has counts in a close alone, which waits for it. */
static bool owes(ferry_conn *c)
{
    return fy_outbox_pending(&c->out) > 0 || (c->closing && fy_close_acked(c) < c->out.written);
}

static void check_rate(ferry_conn *c)
{
    uint64_t rate = c->driver->min_rate;
    uint64_t now = c->loop->now;
    if (rate == 0)
        return;
    struct rate *window = rate_of(c);
    if (!owes(c)) {
        window->since = 0;
        return;
    }
    if (window->since != 0 && now - window->since < span(rate))
        return;
    uint64_t acked = fy_close_acked(c);
    double expected = (double)rate * (double)(now - window->since) / (double)FY_SECOND;
    if (window->since != 0 && (double)(acked - window->mark) < expected) {
        fy_conn_fail(c, -ETIMEDOUT);
        return;
    }
    window->since = now;
    window->mark = acked;
}

void fy_watch_fire(struct fy_timer *timer)
{
    ferry_conn *c = FY_CONTAINER(timer, ferry_conn, timer);
    fy_conn_enter(c);
    if (c->starved) {
        c->starved = false;
        fy_outbox_writable(c);
    }
    if (c->driver->idle_ns && !c->closing && c->loop->now >= c->active + c->driver->idle_ns)
        fy_conn_fail(c, -ETIMEDOUT);
    check_rate(c);
    fy_close_linger(c);
    fy_watch(c);
    fy_conn_leave(c);
}
