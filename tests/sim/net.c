/* SPDX-License-Identifier: MIT
 *
 * The network: connections as TCP has them, as far as a program can tell.
 *
 * A direction is a ring of bytes and four positions in its stream: what the sender has written, what of it has been delivered to
 * the receiver's buffer, what of that he has read, and what the sender knows to be acknowledged. Writing needs room in the
 * sender's buffer (written - acked), delivering needs room in the receiver's (delivered - read).
 *
 *      read      acked?     delivered           written
 *        |---- receiver's ----|---- sender's ------|
 *
 * The FIN stands behind the last byte. A reset is delivered past what was not; what had been delivered can still be read. Each of
 * these events has its time, drawn from the weather.
 */
#include "net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ENDS = 256 };

struct sim_weather sim_weather;

static struct sim_end ends[ENDS];
static unsigned end_count;

struct sim_end *sim_end_new(int fd)
{
    if (end_count == ENDS)
        sim_fail("more than %d ends", (int)ENDS);
    struct sim_end *end = &ends[end_count++];
    *end = (struct sim_end){.fd = fd};
    end->out.send_cap = sim_weather.buffer / 8 + sim_size(sim_weather.buffer);
    end->out.receive_cap = sim_weather.buffer / 8 + sim_size(sim_weather.buffer);
    end->out.size = end->out.send_cap + end->out.receive_cap;
    end->out.ring = malloc(end->out.size);
    if (!end->out.ring)
        sim_fail("no memory for a socket");
    return end;
}

void net_event(struct sim_end *end, enum net_event event)
{
    if (end->at[event] == 0)
        end->at[event] = sim_now() + 1 + sim_size(sim_weather.delay_ns);
}

static void tell(const struct sim_end *end)
{
    if (end->fd > 0)
        sim_fd_event(end->fd);
}

/* There is something to deliver, and room for it. */
static bool deliverable(const struct sim_end *end)
{
    const struct flow *out = &end->out;
    return end->established && !end->was_reset &&
           ((net_queued(out) > 0 && (net_window(out) > 0 || end->other->fd < 0)) ||
            (net_queued(out) == 0 && out->fin && !out->fin_delivered));
}

void net_look(struct sim_end *end)
{
    if (deliverable(end))
        net_event(end, NET_DELIVER);
}

/* Resetting: at once on this side, after a while on the other. */
void net_reset(struct sim_end *end)
{
    if (net_queued(&end->out) > 0)
        sim_reached(SIM_RESET_WITH_QUEUE);
    end->was_reset = true;
    end->at[NET_DELIVER] = 0;
    net_event(end, NET_RESET);
}

static void get_reset(struct sim_end *end)
{
    if (end->was_reset)
        return;
    const struct flow *in = &end->other->out;
    if (in->fin_delivered && in->read == in->delivered)
        sim_reached(SIM_RESET_BEHIND_FIN);
    end->error = in->fin_delivered && !end->out.fin ? -EPIPE : -ECONNRESET;
    end->was_reset = end->got_reset = true;
    end->at[NET_DELIVER] = end->at[NET_ACK] = 0;
    tell(end);
}

static void deliver_bytes(struct sim_end *end)
{
    struct flow *out = &end->out;
    if (end->other->fd < 0) { /* data for a socket that its program has closed */
        net_reset(end->other);
        return;
    }
    uint64_t most = net_queued(out) < net_window(out) ? net_queued(out) : net_window(out);
    if (most > sim_weather.piece)
        most = sim_weather.piece;
    out->delivered += sim_one_in(2) ? most : sim_size(most);
    if (net_queued(out) > 0 && net_window(out) == 0)
        sim_reached(SIM_WINDOW_SHUT);
    tell(end->other);
    net_event(end, NET_ACK);
}

static void deliver(struct sim_end *end)
{
    struct flow *out = &end->out;
    if (!deliverable(end))
        return;
    if (net_queued(out) > 0)
        deliver_bytes(end);
    if (net_queued(out) == 0 && out->fin && !out->fin_delivered && !end->other->was_reset && sim_one_in(2)) {
        out->fin_delivered = true;
        if (net_unread(out) > 0)
            sim_reached(SIM_FIN_UNREAD);
        tell(end->other);
        net_event(end, NET_ACK);
    }
    net_look(end);
}

/* The sender is told of room when a third of his buffer is free, and of his FIN's acknowledgement. */
static void acknowledge(struct sim_end *end)
{
    struct flow *out = &end->out;
    if (out->acked < out->delivered)
        out->acked_at = sim_now();
    out->acked = out->delivered;
    if (out->fin_delivered && !out->fin_acked) {
        out->fin_acked = true;
        tell(end);
    }
    if (end->full && net_room(out) * 3 >= out->send_cap) {
        end->full = false;
        tell(end);
    }
}

static void connect_done(struct sim_end *end)
{
    struct sim_end *other = end->other;
    end->connecting = false;
    if (sim_one_in(sim_weather.refused) || !sim_fd_arrive(end->listener, other)) {
        sim_reached(SIM_CONNECT_REFUSED);
        end->error = -ECONNREFUSED;
        end->was_reset = other->was_reset = true;
    } else {
        end->established = other->established = true;
    }
    tell(end);
}

static void happen(struct sim_end *end, enum net_event event)
{
    end->at[event] = 0;
    sim_note("net", (uint64_t)event, end->port * 2 + end->client);
    switch (event) {
    case NET_DELIVER:
        deliver(end);
        break;
    case NET_ACK:
        acknowledge(end);
        break;
    case NET_RESET:
        get_reset(end->other);
        break;
    case NET_CONNECT:
        connect_done(end);
        break;
    case NET_EDGE:
    case NET_EVENTS:
        end->full = false;
        tell(end);
        break;
    }
}

uint64_t sim_net_next(void)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < end_count; i++)
        for (int event = 0; event < NET_EVENTS; event++)
            if (ends[i].at[event] && ends[i].at[event] < next)
                next = ends[i].at[event];
    return next;
}

void sim_net_run(void)
{
    for (unsigned i = 0; i < end_count; i++)
        for (int event = 0; event < NET_EVENTS; event++)
            if (ends[i].at[event] && ends[i].at[event] <= sim_now())
                happen(&ends[i], (enum net_event)event);
}

struct sim_end *sim_end_find(unsigned port, bool client)
{
    for (unsigned i = end_count; i-- > 0;)
        if (ends[i].port == port && ends[i].client == client)
            return &ends[i];
    return NULL;
}
