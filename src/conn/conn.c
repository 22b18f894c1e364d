/* SPDX-License-Identifier: MIT
 *
 * conn: a connection's birth, what becomes due for it, and its end.
 *
 * References: one is the loop's, from birth until the turn in which it closed is over (so that what is left of a batch of
 * events still finds it, dead); one is each user's; one each for a posted task, a transfer, a read-ahead. Taking one orders
 * nothing, since there is one already; giving one back releases what was done with it, and the last acquires that of all.
 */
#include "conn/conn.h"

#include "conn/transfer.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>

enum { ROUNDS = 16 }; /* of settling in one go; what is due then waits for the next turn */

static void happened(struct fy_source *source, const struct fy_completion *completion);
static void run_task(struct fy_task *task);

ferry_conn *fy_conn_new(ferry_loop *loop, const struct fy_driver *driver, void *tag)
{
    ferry_conn *c = calloc(1, sizeof *c + driver->extra + fy_watch_extra(driver));
    if (!c)
        return NULL;
    c->source.fd = -1;
    c->loop = loop;
    c->driver = driver;
    c->tag = tag;
    atomic_init(&c->refs, 1);
    c->task.run = run_task;
    c->timer.fire = fy_watch_fire;
    fy_list_init(&c->link);
    return c;
}

void fy_conn_attach(ferry_conn *c)
{
    fy_list_append(&c->loop->conns, &c->link);
    c->loop->counters.conns++;
}

void fy_conn_detach(ferry_conn *c)
{
    fy_list_remove(&c->link);
    c->loop->counters.conns--;
    ferry_conn_unref(c);
}

int fy_conn_open(ferry_conn *c, int fd)
{
    c->source.fd = fd;
    c->source.done = happened;
    if (!c->source.live) {
        int error = fy_poll_add(c->loop->poll, &c->source);
        if (error < 0) {
            c->source.fd = -1;
            return error;
        }
    }
    c->opened = true;
    atomic_store_explicit(&c->active, c->loop->now, memory_order_relaxed);
    fy_conn_enter(c);
    c->driver->observer->open(c);
    fy_input_settle(c);
    fy_watch(c);
    fy_conn_leave(c);
    return 0;
}

void fy_conn_mark(ferry_conn *c, unsigned due)
{
    due &= c->driver->told | c->out.awaited | FY_DUE_ALWAYS;
    c->out.due |= (unsigned short)due;
    if (due == 0)
        return;
    if (fy_loop_here(c->loop) && c->entered) {
        c->marked = true;
        return;
    }
    if (c->out.posted)
        return;
    c->out.posted = true;
    ferry_conn_ref(c);
    if (fy_loop_put(c->loop, &c->task))
        c->out.bell = true;
}

void fy_conn_ring(ferry_conn *c)
{
    while (c->out.bell) {
        c->out.bell = false;
        if (c->out.dead) { /* with the lock, or the loop may come to end it during the ring, each time, and could not */
            fy_loop_ring(c->loop);
            return;
        }
        c->out.ringing++; /* keeps the connection from ending, and so its loop */
        fy_unlock(&c->out.lock);
        fy_loop_ring(c->loop);
        fy_lock(&c->out.lock);
        c->out.ringing--;
        if (c->out.dead)
            fy_conn_mark(c, FY_DUE_END);
    }
}

/* Waiting. */

static void set_awaited(ferry_conn *c)
{
    unsigned awaited = 0;
    for (const struct fy_waiter *w = c->waiters; w; w = w->next)
        awaited |= w->due;
    fy_lock(&c->out.lock);
    c->out.awaited = (unsigned char)awaited;
    fy_unlock(&c->out.lock);
}

void fy_conn_wait(ferry_conn *c, struct fy_waiter *waiter)
{
    struct fy_waiter **last = &c->waiters;
    while (*last)
        last = &(*last)->next;
    waiter->next = NULL;
    *last = waiter;
    set_awaited(c);
}

void fy_conn_unwait(ferry_conn *c, struct fy_waiter *waiter)
{
    for (struct fy_waiter **at = &c->waiters; *at; at = &(*at)->next)
        if (*at == waiter) {
            *at = waiter->next;
            set_awaited(c);
            return;
        }
}

static void wake(ferry_conn *c, unsigned due)
{
    struct fy_waiter **at = &c->waiters;
    if (!*at)
        return;
    while (*at) {
        struct fy_waiter *waiter = *at;
        if (!(waiter->due & due)) {
            at = &waiter->next;
            continue;
        }
        *at = waiter->next;
        waiter->wake(waiter);
    }
    set_awaited(c);
}

/* What has become due; of that, writing is done at once, which saves taking the lock again. */
static unsigned take_due(ferry_conn *c)
{
    c->marked = false;
    fy_lock(&c->out.lock);
    if (c->arrived)
        c->out.posted = c->arrived = false;
    unsigned due = c->out.due;
    c->out.due = 0;
    if (due & FY_DUE_WRITE)
        fy_outbox_write(c);
    fy_unlock(&c->out.lock);
    return due;
}

void fy_conn_fail_locked(ferry_conn *c, int reason)
{
    if (c->out.dead)
        return;
    c->out.dead = true;
    atomic_store_explicit(&c->error, reason, memory_order_release);
    if (c->out.role != FY_WRITING)
        fy_queue_purge(c); /* else the writer will, when it is out of the kernel */
    fy_conn_mark(c, FY_DUE_END);
}

void fy_conn_fail(ferry_conn *c, int reason)
{
    fy_lock(&c->out.lock);
    fy_conn_fail_locked(c, reason);
    fy_conn_unlock(c);
}

static ferry_verdict judge(const ferry_conn *c, int reason)
{
    if (reason == -ETIMEDOUT)
        return FERRY_VERDICT_TIMED_OUT;
    if (reason < 0)
        return FERRY_VERDICT_RESET;
    return c->acked == c->out.written ? FERRY_VERDICT_ACKED : FERRY_VERDICT_UNCERTAIN;
}

/* An end that is not in order is a reset on the wire, so that the peer cannot take a part for the whole. */
static void close_socket(ferry_conn *c, int reason)
{
    if (c->source.fd < 0)
        return;
    if (c->source.live)
        fy_poll_remove(c->loop->poll, &c->source);
    if (reason < 0)
        fy_sys_reset_on_close(c->source.fd);
    fy_sys_close(c->source.fd);
    c->source.fd = -1;
}

/* Whoever drove a connection may be gone before its last reference: from its end on, these drive it. */
static const struct fy_driver of_the_closed = {.high_water = SIZE_MAX};
static const struct fy_driver of_the_closed_with_extra = {.high_water = SIZE_MAX, .extra = 1};

static void tell_close(ferry_conn *c, int reason)
{
    const struct fy_driver *next = c->driver->extra ? &of_the_closed_with_extra : &of_the_closed;
    c->driver->observer->close(c, reason);
    fy_lock(&c->out.lock);
    c->driver = next;
    fy_unlock(&c->out.lock);
}

/* The end, once. Waits for a foreign thread that is in the kernel with the descriptor, or about to ring: that one marks it
 * due again. */
static void end(ferry_conn *c)
{
    int reason = ferry_conn_error(c);
    if (c->source.fd >= 0)
        fy_close_acked(c);
    fy_lock(&c->out.lock);
    bool now = !c->out.closed && c->out.role != FY_WRITING && c->out.ringing == 0;
    if (now) {
        c->out.closed = true;
        c->verdict = (unsigned char)judge(c, reason);
    }
    fy_unlock(&c->out.lock);
    if (!now)
        return;
    close_socket(c, reason);
    fy_timer_disarm(&c->loop->timers, &c->timer);
    free(c->input);
    c->input = NULL;
    fy_forward_end(c);
    fy_queue_let_go(c);
    wake(c, ~0U);
    tell_close(c, reason);
    c->loop->counters.conns--;
    c->loop->counters.received += c->received;
    c->loop->counters.written += c->out.written;
    fy_list_remove(&c->link);
    fy_list_append(&c->loop->dead, &c->link);
}

void fy_conn_bury(struct fy_list *dead)
{
    ferry_conn_unref(FY_CONTAINER(fy_list_take(dead), ferry_conn, link));
}

/* Settling what is due. */

static void tell_progress(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    struct fy_segment *first = c->out.first;
    ferry_transfer *t = first && first->kind == FY_FILE ? first->file.transfer : NULL;
    if (t && (!t->options.on_progress || ferry_transfer_sent(t) == t->told_sent))
        t = NULL; /* the one that got on has left, and this is the next; or what it got on by was told with the last */
    bool now = t && fy_transfer_tells(t);
    if (now)
        atomic_fetch_add(&t->refs, 1);
    else if (t)
        c->out.due |= FY_DUE_PROGRESS; /* told this turn already: next turn, then */
    fy_unlock(&c->out.lock);
    if (!now)
        return;
    t->options.on_progress(c, ferry_transfer_sent(t), t->options.arg);
    ferry_transfer_unref(t);
}

/* It may be over before it is told: then it never happened. */
static void tell_high(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    size_t memory = c->out.memory;
    bool high = memory > c->driver->high_water && !c->out.dead;
    c->out.above = high;
    fy_unlock(&c->out.lock);
    if (high && (c->driver->told & FY_DUE_HIGH))
        c->driver->observer->high(c, memory);
    if (!high)
        wake(c, FY_DUE_LOW);
}

/* Only telling it arms the high mark again, so that the two always come in pairs. */
static void tell_low(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    size_t memory = c->out.memory;
    bool low = c->out.above && memory <= c->driver->low_water && !(c->out.due & FY_DUE_HIGH) && !c->out.dead;
    if (low)
        c->out.above = false;
    fy_unlock(&c->out.lock);
    if (!low)
        return;
    wake(c, FY_DUE_LOW);
    c->driver->observer->low(c, memory);
}

static void tell_drain(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    bool drained = !c->out.first && c->out.role == FY_IDLE && !c->out.dead;
    bool tell = drained && c->out.undrained && (c->driver->told & FY_DUE_DRAIN);
    if (drained)
        c->out.undrained = false;
    fy_unlock(&c->out.lock);
    if (drained)
        wake(c, FY_DUE_DRAIN);
    if (tell)
        c->driver->observer->drain(c);
}

static void settle(ferry_conn *c, unsigned due)
{
    if (due & FY_DUE_FIN)
        c->fin_out = true;
    if (due & FY_DUE_SPENT)
        fy_queue_let_go(c);
    if (due & FY_DUE_END) {
        end(c);
        return;
    }
    if (c->out.closed)
        return;
    if (due & FY_DUE_HIGH)
        tell_high(c);
    if (due & FY_DUE_LOW)
        tell_low(c);
    if (due & FY_DUE_DRAIN)
        tell_drain(c);
    if (due & FY_DUE_CLOSE)
        fy_close_begin(c);
    if (due & FY_DUE_READ) {
        if (c->forward)
            fy_forward_rest(c);
        fy_input_settle(c);
    }
    if (due & (FY_DUE_READ | FY_DUE_CLOSE))
        fy_input_doubted(c);
    if (due & FY_DUE_FIN)
        fy_close_fin_sent(c);
    if ((due & FY_DUE_EXPECT) && c->source.live)
        fy_poll_expect(c->loop->poll, &c->source);
    if (due & FY_DUE_STARVED) {
        c->starved = true;
        fy_watch(c);
    }
}

void fy_conn_enter(ferry_conn *c)
{
    c->entered = true;
}

void fy_conn_leave(ferry_conn *c)
{
    uint64_t start = c->out.written;
    unsigned seen = 0;
    for (int round = 0; c->marked && round < ROUNDS && c->out.written - start < FY_TURN_BYTES; round++) {
        unsigned due = take_due(c);
        seen |= due;
        settle(c, due);
    }
    if (!c->marked && !(seen & FY_DUE_PROGRESS) && !c->loop->stopping) {
        c->entered = false; /* other threads post what they make due since */
        return;
    }
    if (seen & FY_DUE_PROGRESS)
        tell_progress(c);
    c->entered = false;
    if (c->loop->stopping)
        fy_conn_retire(c);
    fy_lock(&c->out.lock);
    if (c->out.due)
        fy_conn_mark(c, c->out.due);
    fy_unlock(&c->out.lock);
}

static void run_task(struct fy_task *task)
{
    ferry_conn *c = FY_CONTAINER(task, ferry_conn, task);
    fy_conn_enter(c);
    c->marked = c->arrived = true;
    fy_conn_leave(c);
    ferry_conn_unref(c);
}

void fy_conn_retire(ferry_conn *c)
{
    if (!c->opened) {
        fy_conn_fail(c, -ECANCELED);
        return;
    }
    bool forwards = c->in_transit || c->flowing || c->feeders > 0;
    bool waits = !forwards && (!c->unwanted || c->forward);
    fy_lock(&c->out.lock);
    bool idle = waits && !c->out.busy && c->out.role == FY_IDLE && c->out.due == 0 && !c->out.close_asked;
    fy_unlock(&c->out.lock);
    if (idle)
        ferry_close(c);
}

/* An edge says that there is room each time it says anything, so most of them are for nobody. What another thread queues
 * meanwhile needs no edge: it comes after, and finds the room itself; what it had queued before is seen here, since the
 * kernel took it in before it told of room. */
static bool concerns(const ferry_conn *c, enum fy_event event)
{
    return event != FY_WRITABLE || fy_outbox_pending(&c->out) > 0 || c->fin_out;
}

static void happened(struct fy_source *source, const struct fy_completion *completion)
{
    ferry_conn *c = FY_CONTAINER(source, ferry_conn, source);
    if (!concerns(c, completion->event))
        return;
    if (completion->event == FY_SOON) {
        if (c->driver->observer->soon)
            c->driver->observer->soon(c);
        return;
    }
    fy_conn_enter(c);
    switch (completion->event) {
    case FY_SOON:
        break;
    case FY_RECEIVED:
        fy_input_arrived(c, completion->data, completion->result);
        break;
    case FY_READABLE:
        fy_forward_readable(c);
        break;
    case FY_SENT:
        fy_outbox_sent(c, completion->result);
        break;
    case FY_WRITABLE:
        fy_outbox_writable(c);
        fy_close_check(c);
        break;
    case FY_BROKEN:
        fy_conn_fail(c, completion->result == -EPIPE ? -ECONNRESET : (int)completion->result);
        break;
    case FY_ACCEPTED:
        break; /* never asked for */
    }
    fy_conn_leave(c);
}
