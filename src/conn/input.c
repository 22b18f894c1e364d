/* SPDX-License-Identifier: MIT
 *
 * conn: receiving. The observer sees the bytes where the backend put them; only what it leaves unconsumed is copied, and
 * what comes next is put behind it, so that a message is always contiguous.
 */
#include "base/log.h"
#include "conn/conn.h"

#include <errno.h>

static bool accepts_input(const ferry_conn *c)
{
    return !c->closing && !c->deaf && !c->eof && ferry_conn_error(c) == 0 && !c->out.closed;
}

static size_t give(ferry_conn *c, const void *data, size_t len)
{
    c->giving = true;
    size_t used = c->driver->observer->data(c, data, len);
    c->giving = false;
    if (used > len)
        fy_fatal("on_data returned %zu bytes as consumed, of %zu that it was given", used, len);
    return used;
}

/* What the observer leaves is kept for it, unless it has ended the connection, or asked to close it. */
static void leave_behind(ferry_conn *c, const char *data, size_t len)
{
    fy_lock(&c->out.lock);
    bool wanted = !c->out.dead && !c->out.close_asked;
    fy_unlock(&c->out.lock);
    if (!wanted) {
        c->deaf = true;
        return;
    }
    if (fy_buffer_size(c->input) + len > c->driver->max_input)
        fy_conn_fail(c, -EMSGSIZE);
    else if (!fy_buffer_append(&c->input, data, len))
        fy_conn_fail(c, -ENOMEM);
}

static void give_buffer(ferry_conn *c)
{
    size_t used = give(c, c->input->bytes + c->input->head, fy_buffer_size(c->input));
    fy_buffer_consume(&c->input, used);
}

static void give_bytes(ferry_conn *c, const char *data, size_t len)
{
    if (c->input) {
        if (!fy_buffer_append(&c->input, data, len)) {
            fy_conn_fail(c, -ENOMEM);
            return;
        }
        give_buffer(c);
        leave_behind(c, NULL, 0); /* how much is there is to be looked at */
        return;
    }
    size_t used = give(c, data, len);
    if (used < len)
        leave_behind(c, data + used, len - used);
}

static void end(ferry_conn *c)
{
    bool wanted = accepts_input(c);
    c->eof = true;
    fy_input_settle(c);
    if (wanted)
        c->driver->observer->eof(c);
    fy_close_check(c);
}

/* A reset is told once. Once another thread's send was told, receiving says 0, as at an end. So an end is believed when nobody
 * is in the kernel with the socket who would yet come back with an error; until then nothing more is received. */
static bool is_in_doubt(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    bool doubted = c->out.role == FY_WRITING;
    c->out.doubted = doubted;
    fy_unlock(&c->out.lock);
    if (doubted)
        fy_input_settle(c);
    return doubted;
}

void fy_input_doubted(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    bool over = c->out.doubted && c->out.role != FY_WRITING && !c->out.dead && (!c->out.paused || c->closing);
    if (over)
        c->out.doubted = false;
    fy_unlock(&c->out.lock);
    if (over)
        end(c);
}

void fy_input_arrived(ferry_conn *c, const void *data, ssize_t n)
{
    if (n < 0) {
        fy_conn_fail(c, n == -EPIPE ? -ECONNRESET : (int)n);
        return;
    }
    atomic_store_explicit(&c->active, c->loop->now, memory_order_relaxed);
    if (n == 0) {
        if (!is_in_doubt(c))
            end(c);
        return;
    }
    atomic_fetch_add_explicit(&c->received, (uint64_t)n, memory_order_relaxed);
    if (!accepts_input(c))
        return;
    if (c->forward)
        fy_forward_bytes(c, data, (size_t)n);
    else
        give_bytes(c, data, (size_t)n);
}

/* What is to be asked for now, with the lock held. What closes is read on, by whoever it was read for. */
static unsigned wants(const ferry_conn *c)
{
    if (c->eof || c->out.doubted || c->out.dead || c->out.closed)
        return 0;
    if (c->closing)
        return FY_WANT_RECEIVE;
    if (c->out.paused)
        return 0;
    if (c->forward)
        return c->in_transit || c->input ? 0 : FY_WANT_READABLE;
    return c->unwanted ? 0 : FY_WANT_RECEIVE;
}

/* Asks for what may be received now; true = a pause has ended, so that what was left behind is to be given again first. */
static bool request(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    bool rest_first = c->out.resumed && !c->out.paused && c->input && !c->forward;
    unsigned wanted = rest_first ? 0 : wants(c);
    c->out.resumed = rest_first;
    fy_unlock(&c->out.lock);
    if (c->source.live)
        fy_poll_request(c->loop->poll, &c->source, wanted);
    return rest_first;
}

static void give_again(ferry_conn *c)
{
    fy_lock(&c->out.lock);
    c->out.resumed = false;
    fy_unlock(&c->out.lock);
    if (accepts_input(c))
        give_buffer(c);
}

void fy_input_settle(ferry_conn *c)
{
    if (!request(c))
        return;
    give_again(c);
    /* It may have been paused again; or resumed again, which is due by itself, and nothing is read before. */
    request(c);
}

void fy_input_want(ferry_conn *c, bool wanted)
{
    c->unwanted = !wanted;
    if (wanted || c->closing || c->forward)
        fy_input_settle(c);
    else if (c->source.live)
        fy_poll_request(c->loop->poll, &c->source, 0);
}
