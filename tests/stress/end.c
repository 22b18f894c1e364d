/* SPDX-License-Identifier: MIT
 *
 * The errors of a socket are told once, by whichever call comes first, so each is looked at: a reset is one, whether read,
 * written or polled for. A call moves little at a time, so that hundreds of ends go on together.
 */
#include "end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 128 * 1024 };

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void close_end(struct end *end)
{
    (void)close(end->fd);
    end->fd = -1;
}

static void be_rude(struct end *end)
{
    const struct linger none = {.l_onoff = 1};
    if (end->plan.manner == RESET)
        (void)setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    end->was_rude = true;
    close_end(end);
}

/* An errno of a call. A reset of ours cannot come back to us: the socket is closed. */
static void failed(struct end *end, int error)
{
    if (error == EAGAIN || error == EINTR)
        return;
    end->was_reset = true;
    if (error != ECONNRESET && error != EPIPE)
        end->bad = strerror(error);
    close_end(end);
}

void end_begin(struct end *end, enum side side, int fd, uint64_t now)
{
    *end = (struct end){.side = side, .fd = fd, .began = now};
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void stall_if_due(struct end *end, uint64_t now)
{
    if (end->stalled || end->plan.stall_ms == 0 || end->in.at < end->plan.stall_at)
        return;
    end->stalled = true;
    end->receive_from = now + end->plan.stall_ms;
}

static void set_buffer(int fd, int option, int bytes)
{
    if (bytes > 0)
        (void)setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof bytes);
}

void end_join(struct end *end, struct session *session, const struct plan *plan, uint64_t receives)
{
    end->session = session;
    end->plan = *plan;
    end->out.seed = plan->stream;
    end->in.seed = receives;
    stall_if_due(end, end->began);
    set_buffer(end->fd, SO_SNDBUF, plan->send_buffer);
    set_buffer(end->fd, SO_RCVBUF, plan->receive_buffer);
}

static bool greeted(const struct end *end)
{
    return end->greeted == sizeof end->greeting;
}

bool end_is_greeted(const struct end *end)
{
    return end->side == TARGET && greeted(end) && !end->session;
}

static bool has_to_send(const struct end *end)
{
    bool waits = !end->session || (end->plan.answers && !end->eof);
    return !waits && !end->fin_sent; /* if only FIN */
}

static bool is_time(const struct end *end, uint64_t now)
{
    const struct plan *plan = &end->plan;
    if (!end->session || plan->manner == FINISH)
        return false;
    return end->out.at + end->in.at >= plan->end_at || now >= end->began + plan->end_after_ms;
}

static void greet(struct end *end)
{
    const char *greeting = (const char *)&end->greeting;
    ssize_t n = send(end->fd, greeting + end->greeted, sizeof end->greeting - end->greeted, MSG_NOSIGNAL);
    if (n < 0)
        failed(end, errno);
    else
        end->greeted += (size_t)n;
}

static void send_fin(struct end *end)
{
    if (shutdown(end->fd, SHUT_WR) < 0)
        failed(end, errno == ENOTCONN ? ECONNRESET : errno);
    else
        end->fin_sent = true;
}

static void send_some(struct end *end, uint64_t now)
{
    static char bytes[AT_ONCE];
    const struct plan *plan = &end->plan;
    struct pattern next = end->out;
    size_t len = (size_t)min(min(plan->send_at_once, plan->total - next.at), sizeof bytes);
    if (len > 0) {
        pattern_fill(&next, bytes, len);
        ssize_t n = send(end->fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0) {
            failed(end, errno);
            return;
        }
        end->out.at += (uint64_t)n;
        end->send_from = now + plan->send_pause_ms;
    }
    if (end->out.at == plan->total)
        send_fin(end);
}

/* A target learns who is there. */
static void be_greeted(struct end *end)
{
    char *greeting = (char *)&end->greeting;
    ssize_t n = recv(end->fd, greeting + end->greeted, sizeof end->greeting - end->greeted, 0);
    if (n < 0)
        failed(end, errno);
    else if (n == 0)
        close_end(end);
    else
        end->greeted += (size_t)n;
}

/* Without a session nothing is known of the bytes. */
static void look_at(struct end *end, const char *bytes, size_t len)
{
    if (!end->session)
        return;
    if (pattern_match(&end->in, bytes, len) < len)
        end->bad = "a byte that was not sent, or not there";
}

static void receive_some(struct end *end, uint64_t now)
{
    static char bytes[AT_ONCE];
    const struct plan *plan = &end->plan;
    size_t len = end->session ? (size_t)min(plan->receive_at_once, sizeof bytes) : sizeof bytes;
    ssize_t n = recv(end->fd, bytes, len, 0);
    if (n < 0) {
        failed(end, errno);
        return;
    }
    if (n == 0) {
        end->eof = true;
        return;
    }
    look_at(end, bytes, (size_t)n);
    end->receive_from = now + plan->receive_pause_ms;
    stall_if_due(end, now);
}

/* EPOLLHUP alone is the end of both directions: there is nothing left to wait for but what has come. */
static void look_at_socket(struct end *end, uint32_t events)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (!(events & (EPOLLERR | EPOLLHUP)))
        return;
    (void)getsockopt(end->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        failed(end, error);
    else
        end->receive_from = 0;
}

static void receive(struct end *end, uint64_t now)
{
    if (end->side == TARGET && !greeted(end))
        be_greeted(end);
    else if (!end->eof && now >= end->receive_from)
        receive_some(end, now);
}

static void transmit(struct end *end, uint64_t now)
{
    if (end->side == CLIENT && !greeted(end))
        greet(end);
    else if (has_to_send(end) && now >= end->send_from)
        send_some(end, now);
}

void end_go_on(struct end *end, uint32_t events, uint64_t now)
{
    look_at_socket(end, events);
    if (end->fd >= 0 && is_time(end, now))
        be_rude(end);
    if (end->fd >= 0 && (events & EPOLLIN))
        receive(end, now);
    if (end->fd >= 0 && (events & EPOLLOUT))
        transmit(end, now);
    if (end->fd >= 0 && end->eof && (end->fin_sent || !end->session))
        close_end(end);
}

unsigned end_wants(const struct end *end, uint64_t now)
{
    unsigned wants = 0;
    if (!end->eof && now >= end->receive_from)
        wants |= EPOLLIN;
    if ((end->side == CLIENT && !greeted(end)) || (has_to_send(end) && now >= end->send_from))
        wants |= EPOLLOUT;
    return wants;
}

void end_print(const struct end *end)
{
    (void)fprintf(stderr, "%s: sent %ju%s, received %ju%s%s%s%s%s\n", end->side == CLIENT ? "client" : "target",
                  (uintmax_t)end->out.at, end->fin_sent ? " and FIN" : "", (uintmax_t)end->in.at,
                  end->eof ? " and FIN" : "", end->was_reset ? ", was reset" : "", end->was_rude ? ", was rude" : "",
                  end->fd < 0 ? "" : ", is still open", end->bad ? ", bad" : "");
    plan_print(&end->plan);
}
