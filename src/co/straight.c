/* SPDX-License-Identifier: MIT
 *
 * co: input in straight lines, and waiting for output.
 *
 * Reading from the socket goes on only while somebody waits for input: a coroutine that does something else holds the peer
 * back by TCP's window, like a paused connection. What it leaves unconsumed when it parks is kept in the connection's
 * buffer (conn/input.c), and comes again in one piece with what follows.
 */
#include "co/straight.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

struct fy_straight *fy_straight_of(const ferry_conn *conn)
{
    return conn->driver->extra ? (struct fy_straight *)(void *)((ferry_conn *)conn + 1) : NULL;
}

/* The running coroutine is about to wait for input. */
static void want_input(ferry_conn *conn)
{
    struct fy_straight *s = fy_straight_of(conn);
    s->reader = fy_co_self();
    s->parked = __builtin_frame_address(0);
    if (conn->unwanted)
        fy_input_want(conn, true);
    if (!conn->loop->stopping)
        return;
    fy_lock(&conn->out.lock);
    if (!conn->out.closed)
        fy_conn_mark(conn, FY_DUE_READ); /* has the loop come by, and see that it is idle */
    fy_unlock(&conn->out.lock);
}

/* It waits no more. Inside `data` that is settled at the end of it: most often it waits again by then. */
static void have_input(ferry_conn *conn)
{
    struct fy_straight *s = fy_straight_of(conn);
    s->reader = NULL;
    if (!s->view)
        fy_input_want(conn, false);
}

/* What switching to the reader, and back, will touch: its struct, and the stack around the place where it parked. */
void fy_straight_soon(const ferry_conn *conn)
{
    enum { LINE = 64, BELOW = 4, ABOVE = 8 };
    const struct fy_straight *s = fy_straight_of(conn);
    if (!s->reader)
        return;
    for (size_t at = 0; at < sizeof *s->reader; at += LINE)
        __builtin_prefetch((const char *)s->reader + at);
    for (int line = -BELOW; line < ABOVE; line++)
        __builtin_prefetch(s->parked + line * LINE);
}

size_t fy_straight_data(ferry_conn *conn, const void *data, size_t len)
{
    struct fy_straight *s = fy_straight_of(conn);
    s->view = data;
    s->size = len;
    s->used = 0;
    if (s->reader)
        fy_co_resume(s->reader, 0);
    s->view = NULL;
    if (!s->reader)
        fy_input_want(conn, false);
    return s->used;
}

void fy_straight_eof(ferry_conn *conn)
{
    struct fy_straight *s = fy_straight_of(conn);
    s->eof = true;
    if (s->reader)
        fy_co_resume(s->reader, 0);
}

void fy_straight_close(ferry_conn *conn)
{
    struct fy_straight *s = fy_straight_of(conn);
    s->eof = true;
    if (s->reader)
        fy_co_wake(s->reader, 0);
    if (s->dialer)
        fy_co_wake(s->dialer, 0);
}

/* What can be had without waiting: bytes, 0 = none. */
static size_t available(const ferry_conn *conn, const void **data)
{
    const struct fy_straight *s = fy_straight_of(conn);
    *data = "";
    if (conn->forward)
        return 0; /* it is not for the coroutine any more */
    if (s->view) {
        *data = s->view + s->used;
        return s->size - s->used;
    }
    if (conn->input)
        *data = conn->input->bytes + conn->input->head;
    return fy_buffer_size(conn->input);
}

/* No more input will come: 0, or why not. */
static int end_of(const ferry_conn *conn)
{
    int error = ferry_conn_error(conn);
    if (error == 0 && conn->loop->stopping && conn->closing && !conn->eof)
        return -ECANCELED;
    return error;
}

/* Parks until more input has come than `have` bytes: 1; or 0 = there is an end; or -errno. */
static int wait_input(ferry_conn *conn, const char *call, size_t have)
{
    struct fy_straight *s = fy_straight_of(conn);
    const void *data;
    if (s->reader)
        return -EBUSY;
    if (s->eof || ferry_conn_error(conn) < 0)
        return 0;
    want_input(conn);
    int result = fy_co_park(call, conn, s->deadline);
    have_input(conn);
    if (result < 0)
        return result;
    return available(conn, &data) > have;
}

static int check(const ferry_conn *conn, const char *call)
{
    const struct fy_co *co = fy_co_need(call);
    if (co->loop != conn->loop)
        fy_fatal("%s: called outside of the connection's loop", call);
    return fy_straight_of(conn) ? 0 : -EINVAL;
}

/* Parks until there are more than `have` bytes of input: how many, in *data; or 0, no more will come; or -errno. */
static ssize_t peek_beyond(ferry_conn *conn, const char *call, size_t have, const void **data)
{
    ssize_t result = check(conn, call);
    if (result < 0)
        return result;
    size_t size = available(conn, data);
    while (size <= have) {
        result = wait_input(conn, call, have);
        if (result < 0)
            return result;
        if (result == 0 && (fy_straight_of(conn)->eof || ferry_conn_error(conn) < 0))
            return end_of(conn);
        size = available(conn, data);
    }
    return (ssize_t)size;
}

ssize_t ferry_peek(ferry_conn *conn, const void **data)
{
    return peek_beyond(conn, "ferry_peek", 0, data);
}

/* These bytes are there. */
static void eat(ferry_conn *conn, struct fy_straight *s, size_t len)
{
    if (s->view)
        s->used += len;
    else
        fy_buffer_consume(&conn->input, len);
}

static bool is_ending(ferry_conn *conn)
{
    fy_lock(&conn->out.lock);
    bool ending = conn->out.dead || conn->out.close_asked || conn->closing;
    fy_unlock(&conn->out.lock);
    return ending;
}

void ferry_consume(ferry_conn *conn, size_t len)
{
    struct fy_straight *s = fy_straight_of(conn);
    const void *data;
    size_t size = s ? available(conn, &data) : 0;
    if (len > size && is_ending(conn))
        return; /* the end came meanwhile, while a send was parked, say, and took the input along */
    if (len > size)
        fy_fatal("ferry_consume: %zu bytes, of %zu that are there", len, size);
    if (s)
        eat(conn, s, len);
}

static ssize_t recv_some(ferry_conn *conn, const char *call, void *buf, size_t cap)
{
    const void *data;
    ssize_t n = peek_beyond(conn, call, 0, &data);
    if (n <= 0)
        return n;
    size_t len = (size_t)n < cap ? (size_t)n : cap;
    memcpy(buf, data, len);
    eat(conn, fy_straight_of(conn), len);
    return (ssize_t)len;
}

ssize_t ferry_recv(ferry_conn *conn, void *buf, size_t cap)
{
    if (cap == 0)
        return -EINVAL;
    return recv_some(conn, "ferry_recv", buf, cap);
}

/* More than the connection may keep: taken as it comes. */
static ssize_t recv_long(ferry_conn *conn, char *buf, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = recv_some(conn, "ferry_recv_exact", buf + have, len - have);
        if (n < 0)
            return n;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

ssize_t ferry_recv_exact(ferry_conn *conn, void *buf, size_t len)
{
    const void *data;
    if (len > conn->driver->max_input)
        return recv_long(conn, buf, len);
    ssize_t n = len > 0 ? peek_beyond(conn, "ferry_recv_exact", len - 1, &data) : 0;
    if (n < 0 || len == 0)
        return n;
    if (n == 0)
        n = (ssize_t)available(conn, &data); /* the input has ended */
    size_t whole = (size_t)n < len ? (size_t)n : len;
    if (whole == 0)
        return 0;
    memcpy(buf, data, whole);
    eat(conn, fy_straight_of(conn), whole);
    return (ssize_t)whole;
}

ssize_t ferry_recv_until(ferry_conn *conn, void *buf, size_t cap, const char *delimiter)
{
    size_t length = strlen(delimiter), seen = 0;
    if (length == 0 || cap == 0)
        return -EINVAL;
    for (;;) {
        const void *data;
        ssize_t n = peek_beyond(conn, "ferry_recv_until", seen, &data);
        if (n <= 0)
            return n;
        size_t from = seen >= length ? seen - length + 1 : 0; /* it may have begun in what was seen before */
        size_t to = (size_t)n < cap ? (size_t)n : cap;
        const char *found = to > from ? memmem((const char *)data + from, to - from, delimiter, length) : NULL;
        if (found) {
            size_t whole = (size_t)(found - (const char *)data) + length;
            memcpy(buf, data, whole);
            eat(conn, fy_straight_of(conn), whole);
            return (ssize_t)whole;
        }
        if ((size_t)n >= cap)
            return -EMSGSIZE;
        seen = (size_t)n;
    }
}

/* Output. */

struct output_waiter {
    struct fy_waiter base;
    struct fy_co *co;
};

static struct fy_co *waiting(struct fy_waiter *waiter)
{
    return FY_CONTAINER(waiter, struct output_waiter, base)->co;
}

static void wake_output(struct fy_waiter *waiter)
{
    fy_co_wake(waiting(waiter), 0);
}

static int wait_output(ferry_conn *conn, const char *call, unsigned due)
{
    const struct fy_straight *s = fy_straight_of(conn);
    struct output_waiter waiter = {.base = {.due = due, .wake = wake_output}, .co = fy_co_self()};
    fy_conn_wait(conn, &waiter.base);
    int result = fy_co_park(call, conn, s ? s->deadline : 0);
    fy_conn_unwait(conn, &waiter.base);
    return result;
}

void fy_co_hold_back(ferry_conn *conn)
{
    if (fy_outbox_pending(&conn->out) <= conn->driver->high_water)
        return; /* no more memory than that, then; without the lock */
    fy_lock(&conn->out.lock);
    bool wait = conn->out.memory > conn->driver->high_water && conn->out.above && !conn->out.dead;
    fy_unlock(&conn->out.lock);
    if (wait)
        wait_output(conn, "ferry_send", FY_DUE_LOW);
}

/* Why what was sent since the last flush has not all been taken: 0 = it has. */
static int refused(ferry_conn *conn)
{
    struct fy_straight *s = fy_straight_of(conn);
    fy_lock(&conn->out.lock);
    unsigned drops = (unsigned)conn->out.drops;
    int why = conn->out.drop_reason;
    fy_unlock(&conn->out.lock);
    if (!s || drops == s->drops_told)
        return 0;
    s->drops_told = drops;
    return why;
}

int ferry_flush(ferry_conn *conn)
{
    const struct fy_co *co = fy_co_need("ferry_flush");
    if (co->loop != conn->loop)
        fy_fatal("ferry_flush: called outside of the connection's loop");
    if (atomic_load_explicit(&co->cancelled, memory_order_relaxed))
        return fy_co_park("ferry_flush", conn, 0);
    while (ferry_conn_pending(conn) > 0 && !conn->out.closed) {
        int result = wait_output(conn, "ferry_flush", FY_DUE_DRAIN);
        if (result < 0)
            return result;
    }
    if (fy_outbox_turn_bytes(conn) >= FY_TURN_BYTES) /* a reader as fast as the kernel would never make it wait */
        fy_co_yield("ferry_flush", conn);
    int error = ferry_conn_error(conn);
    return error < 0 ? error : refused(conn);
}

/* The deadline is for those who wait already, too. */
void ferry_conn_set_deadline(ferry_conn *conn, uint64_t ms_from_now)
{
    struct fy_straight *s = fy_straight_of(conn);
    if (!s)
        return;
    if (!fy_loop_here(conn->loop))
        fy_fatal("ferry_conn_set_deadline: called outside of the connection's loop");
    uint64_t now = fy_now_ns();
    bool far = ms_from_now > (UINT64_MAX - 1 - now) / FY_MS;
    s->deadline = ms_from_now == 0 || far ? 0 : now + ms_from_now * FY_MS;
    if (s->reader)
        fy_co_set_due(s->reader, s->deadline);
    for (struct fy_waiter *w = conn->waiters; w; w = w->next)
        fy_co_set_due(waiting(w), s->deadline);
}
