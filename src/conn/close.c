/* SPDX-License-Identifier: MIT
 *
 * conn: the orderly end.
 *
 * close(2) with unread input resets the connection and destroys output that the peer has not read yet. So after our FIN
 * the input is read on, and thrown away, until the peer's FIN; and the socket is closed when the peer's TCP has
 * acknowledged all there is. Both come as events: the acknowledgement of a FIN, and with it of all before, is a change of
 * state (LAST_ACK to CLOSED, FIN_WAIT1 to FIN_WAIT2; RFC 9293, 3.3.2), which wakes the poll.
 *
 * linger_ms bounds every wait in it: for the peer to take more of what is queued, to acknowledge, to close.
 */
#include "base/clock.h"
#include "conn/conn.h"
#include "sys/sys.h"

#include <errno.h>

uint64_t fy_close_acked(ferry_conn *c)
{
    uint64_t written = c->out.written;
    if (c->acked == written)
        return written; /* also when nothing was ever sent: no need to ask */
    int unacked = fy_sys_unacked(c->source.fd);
    uint64_t left = unacked < 0 ? written : (uint64_t)unacked;
    if (left > 0 && c->fin_out)
        left--; /* the FIN counts as one */
    if (left < written &&
        written - left > c->acked) /* what another thread writes meanwhile is unacknowledged already */
        c->acked = written - left;
    return c->acked;
}

/* Also our FIN, unless nothing was ever sent: a peer that stands still with its window shut cannot get the FIN, and what
 * the kernel does for a socket that was closed is limited (tcp(7), tcp_orphan_retries). */
static bool all_acked(ferry_conn *c)
{
    return c->out.written == 0 || fy_sys_unacked(c->source.fd) == 0;
}

static void restart_linger(ferry_conn *c)
{
    c->linger_since = fy_now_ns(); /* not the turn's beginning: a long callback must not shorten it */
    c->linger_mark = fy_close_acked(c);
    fy_watch(c);
}

void fy_close_begin(ferry_conn *c)
{
    if (c->closing)
        return;
    c->closing = true;
    fy_buffer_consume(&c->input, fy_buffer_size(c->input));
    fy_input_settle(c);
    if (c->driver->observer->closing)
        c->driver->observer->closing(c);
    restart_linger(c);
    fy_close_check(c);
}

void fy_close_fin_sent(ferry_conn *c)
{
    if (c->closing)
        restart_linger(c);
    fy_close_check(c);
}

void fy_close_check(ferry_conn *c)
{
    if (!c->fin_out || c->source.fd < 0 || !(c->eof || (c->closing && c->loop->stopping)))
        return;
    if (all_acked(c)) {
        fy_conn_fail(c, 0);
        return;
    }
    fy_poll_expect(c->loop->poll, &c->source);
    fy_close_begin(c); /* both directions are done but for the acknowledgement: waited for, but not for ever */
}

void fy_close_linger(ferry_conn *c)
{
    if (!c->closing || c->loop->now < c->linger_since + c->driver->linger_ns)
        return;
    if (c->fin_out && all_acked(c))
        fy_conn_fail(c, 0); /* the peer has everything; that it does not close is its own affair */
    else if (fy_close_acked(c) > c->linger_mark)
        restart_linger(c);
    else
        fy_conn_fail(c, -ETIMEDOUT);
}
