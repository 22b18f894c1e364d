/* SPDX-License-Identifier: MIT
 *
 * What a program does with its end of a connection, and what it is told: as tcp(7) and Linux have it.
 */
#include "net.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

enum { FIRST_PORT = 40000 };

static void ring_copy(const struct flow *flow, uint64_t at, void *bytes, size_t len, bool in)
{
    size_t from = (size_t)(at % flow->size);
    size_t first = len < flow->size - from ? len : flow->size - from;
    unsigned char *data = bytes;
    memcpy(in ? flow->ring + from : data, in ? data : flow->ring + from, first);
    memcpy(in ? flow->ring : data + first, in ? data + first : flow->ring, len - first);
}

void sim_end_connect(struct sim_end *end, unsigned port)
{
    static unsigned next_port;
    if (next_port == 0)
        next_port = FIRST_PORT;
    struct sim_end *other = sim_end_new(0);
    end->other = other;
    other->other = end;
    end->port = other->port = next_port++;
    end->client = end->connecting = true;
    end->listener = port;
    if (sim_one_in(sim_weather.lost))
        sim_reached(SIM_CONNECT_LOST);
    else
        net_event(end, NET_CONNECT);
}

void sim_end_accept(struct sim_end *end, int fd)
{
    end->fd = fd;
}

int sim_end_take_error(struct sim_end *end)
{
    int error = end->error;
    end->error = 0;
    return error;
}

static int cannot_send(struct sim_end *end)
{
    if (end->error)
        return sim_end_take_error(end);
    if (end->was_reset || end->out.fin || !end->established)
        return -EPIPE;
    return 0;
}

/* An edge is told once, so who is told of no room that there is must be told of room later. */
static ssize_t room_told(struct sim_end *end)
{
    int error = cannot_send(end);
    if (error < 0)
        return error;
    if (sim_one_in(sim_weather.starved)) {
        sim_reached(SIM_STARVED);
        return -ENOBUFS;
    }
    size_t there = net_room(&end->out);
    if (there > 0 && sim_one_in(sim_weather.faked_full)) {
        sim_reached(SIM_FAKED_FULL);
        there = sim_random(there);
        end->full = true;
        net_event(end, NET_EDGE);
    }
    if (there == 0) {
        sim_reached(SIM_FULL);
        end->full = true;
        return -EAGAIN;
    }
    return (ssize_t)there;
}

ssize_t sim_end_send(struct sim_end *end, const void *data, size_t len)
{
    ssize_t there = room_told(end);
    if (there < 0)
        return there;
    if (len > (size_t)there) {
        sim_reached(SIM_SHORT_WRITE);
        end->full = true;
        len = (size_t)there;
    }
    ring_copy(&end->out, end->out.written, (void *)(uintptr_t)data, len, true);
    end->out.written += len;
    net_look(end);
    return (ssize_t)len;
}

/* tcp_recvmsg(): what is there comes first; then the end of the stream, which hides an error; then the error. */
ssize_t sim_end_recv(struct sim_end *end, void *buf, size_t cap)
{
    if (!end->other || !end->established)
        return end->error ? sim_end_take_error(end) : -ENOTCONN;
    struct flow *in = &end->other->out;
    if (net_unread(in) > 0) {
        size_t len = net_unread(in) < cap ? (size_t)net_unread(in) : cap;
        ring_copy(in, in->read, buf, len, false);
        in->read += len;
        net_look(end->other);
        return (ssize_t)len;
    }
    if (in->fin_delivered)
        return 0;
    if (end->error)
        return sim_end_take_error(end);
    return end->was_reset ? 0 : -EAGAIN;
}

int sim_end_shutdown(struct sim_end *end)
{
    if (!end->established || end->was_reset)
        return -ENOTCONN;
    end->out.fin = true;
    net_look(end);
    return 0;
}

/* Unread input makes it a reset, which is what costs output that is still under way. */
void sim_end_close(struct sim_end *end, bool reset)
{
    end->fd = -1;
    end->at[NET_EDGE] = end->at[NET_CONNECT] = 0;
    if (!end->established || end->was_reset)
        return;
    const struct flow *in = &end->other->out;
    bool finished = in->fin_delivered && end->out.fin_acked;
    if (net_unread(in) > 0 && !reset)
        sim_reached(SIM_UNREAD_AT_CLOSE);
    if (!finished && (reset || net_unread(in) > 0)) {
        net_reset(end);
        return;
    }
    end->out.fin = true;
    net_look(end);
    net_look(end->other);
}

/* tcp_poll(). */
uint32_t sim_end_poll(struct sim_end *end)
{
    if (end->connecting || !end->other)
        return end->other ? 0 : EPOLLHUP | EPOLLOUT;
    uint32_t events = end->error ? EPOLLERR : 0;
    const struct flow *in = &end->other->out;
    if (end->was_reset || (in->fin_delivered && end->out.fin))
        events |= EPOLLHUP;
    if (end->was_reset || in->fin_delivered)
        events |= EPOLLIN | EPOLLRDHUP;
    if (net_unread(in) > 0)
        events |= EPOLLIN;
    if (end->was_reset || end->out.fin || net_room(&end->out) * 3 >= end->out.send_cap)
        events |= EPOLLOUT;
    else
        end->full = true;
    if (sim_one_in(sim_weather.idle_edge) && end->at[NET_EDGE] == 0) {
        sim_reached(SIM_IDLE_EDGE);
        net_event(end, NET_EDGE);
    }
    return events;
}

int sim_end_unacked(const struct sim_end *end)
{
    const struct flow *out = &end->out;
    return (int)(out->written - out->acked) + (out->fin && !out->fin_acked);
}

unsigned sim_end_port(const struct sim_end *end, bool peer)
{
    return end->client == peer ? end->listener : end->port;
}

unsigned sim_end_id(const struct sim_end *end)
{
    return end->port;
}

void sim_end_truth(const struct sim_end *end, struct sim_truth *truth)
{
    *truth = (struct sim_truth){.written = end->out.written,
                                .acked = end->out.acked,
                                .taken = end->out.read,
                                .acked_at = end->out.acked_at,
                                .reset = end->got_reset,
                                .fin_acked = end->out.fin_acked};
}
