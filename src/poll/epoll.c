/* SPDX-License-Identifier: MIT
 *
 * poll: the epoll backend. Edge-triggered, each socket registered once for both directions, so that no epoll_ctl(2)
 * follows while it lives.
 *
 * An edge is told once, so it is kept (`ready`) until a read shows that the socket is empty. A read that fills less than
 * the buffer shows that already (epoll(7), questions and answers, 9), which saves the read that would say EAGAIN; but
 * after the peer's FIN or an error, which come with no further edge, or urgent data, short of which a read stops, reading goes
 * on to the end.
 */
#include "poll/poll.h"

#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    EVENTS = 256,      /* taken from the kernel at a time */
    INPUT = 64 * 1024, /* bytes; the buffer all sockets of the loop are read into */
    READS_A_TURN = 4,  /* of full buffers from one socket, before others get a turn */
    ACCEPTS_A_TURN = 64,
    LINE = 64, /* bytes; a cache line, */
    LINES = 6, /* and how many a message touches */
};

enum { READY = 1, ENDING = 2, BROKEN = 4 }; /* fy_source.ready */

struct epoll_poll {
    struct fy_poll base;
    int fd;
    int count; /* of events, to be reaped */
    struct fy_list again;
    struct epoll_event events[EVENTS];
    char input[INPUT];
};

static struct epoll_poll *self(struct fy_poll *poll)
{
    return (struct epoll_poll *)poll;
}

/* The bell is a source like others. */
static int epoll_open(struct fy_poll **poll, int bell)
{
    (void)bell;
    struct epoll_poll *p = malloc(sizeof *p);
    if (!p)
        return -ENOMEM;
    p->base.backend = &fy_backend_epoll;
    p->count = 0;
    p->fd = fy_sys_epoll_create();
    fy_list_init(&p->again);
    if (p->fd < 0) {
        int error = p->fd;
        free(p);
        return error;
    }
    *poll = &p->base;
    return 0;
}

static void epoll_close(struct fy_poll *poll)
{
    fy_sys_close(self(poll)->fd);
    free(poll);
}

static int epoll_fd(struct fy_poll *poll)
{
    return self(poll)->fd;
}

static int epoll_add(struct fy_poll *poll, struct fy_source *source)
{
    source->wants = 0;
    source->ready = 0;
    source->live = true;
    fy_list_init(&source->again);
    int error = fy_sys_epoll_ctl(self(poll)->fd, EPOLL_CTL_ADD, source->fd,
                                 EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET, source);
    source->live = error == 0;
    return error;
}

/* Closing the descriptor alone would do, unless a forked child still has it open: its events would then come to a source
 * that is gone. */
static void epoll_remove(struct fy_poll *poll, struct fy_source *source)
{
    fy_sys_epoll_ctl(self(poll)->fd, EPOLL_CTL_DEL, source->fd, 0, NULL);
    source->live = false;
    source->wants = 0;
    fy_list_remove(&source->again);
}

static void come_again(struct epoll_poll *p, struct fy_source *source)
{
    if (source->live && source->wants && (source->ready & READY) && fy_list_empty(&source->again))
        fy_list_append(&p->again, &source->again);
}

static void epoll_request(struct fy_poll *poll, struct fy_source *source, unsigned wants)
{
    source->wants = (unsigned char)wants;
    come_again(self(poll), source);
}

static void epoll_empty(struct fy_poll *poll, struct fy_source *source)
{
    (void)poll;
    source->ready &= (unsigned char)~READY;
}

/* A reset that finds the peer's FIN already there is not told by recv(2), which goes on saying 0. */
static ssize_t receive_end(struct fy_source *s)
{
    if (!(s->ready & BROKEN))
        return 0;
    s->ready &= (unsigned char)~BROKEN;
    return fy_sys_take_error(s->fd);
}

static void receive(struct epoll_poll *p, struct fy_source *s)
{
    for (int reads = 0; reads < READS_A_TURN && (s->wants & FY_WANT_RECEIVE) && (s->ready & READY); reads++) {
        ssize_t n = fy_sys_recv(s->fd, p->input, INPUT);
        if (n == -EAGAIN) {
            s->ready &= (unsigned char)~READY;
            return;
        }
        if (n == 0)
            n = receive_end(s);
        if (n <= 0 || (n < INPUT && !(s->ready & ENDING)))
            s->ready &= (unsigned char)~READY;
        s->done(s, &(struct fy_completion){FY_RECEIVED, n, p->input});
    }
}

static void accept_some(struct fy_source *s)
{
    for (int accepts = 0; accepts < ACCEPTS_A_TURN && (s->wants & FY_WANT_ACCEPT); accepts++) {
        int fd = fy_sys_accept(s->fd);
        if (fd == -EAGAIN) {
            s->ready &= (unsigned char)~READY;
            return;
        }
        if (fd < 0)
            s->wants &= (unsigned char)~FY_WANT_ACCEPT;
        s->done(s, &(struct fy_completion){FY_ACCEPTED, fd, NULL});
    }
}

/* Does what was requested and is possible. Stays ready, and comes again next turn, when the budget ends it. */
static void proceed(struct epoll_poll *p, struct fy_source *s)
{
    if (s->ready & READY) {
        if (s->wants & FY_WANT_RECEIVE)
            receive(p, s);
        else if (s->wants & FY_WANT_READABLE)
            s->done(s, &(struct fy_completion){FY_READABLE, 0, NULL});
        else if (s->wants & FY_WANT_ACCEPT)
            accept_some(s);
    }
    come_again(p, s);
}

static void dispatch(struct epoll_poll *p, struct fy_source *s, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->ready |= READY;
    if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        s->ready |= ENDING;
    if (events & EPOLLERR)
        s->ready |= BROKEN;
    if ((events & EPOLLERR) && !(s->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE))) {
        int error = fy_sys_take_error(s->fd);
        if (error < 0)
            s->done(s, &(struct fy_completion){FY_BROKEN, error, NULL});
    }
    if ((events & (EPOLLOUT | EPOLLHUP)) && s->live)
        s->done(s, &(struct fy_completion){FY_WRITABLE, 0, NULL});
    if (s->live)
        proceed(p, s);
}

static bool epoll_busy(const struct fy_poll *poll)
{
    return !fy_list_empty(&((const struct epoll_poll *)poll)->again);
}

static int epoll_sleep(struct fy_poll *poll, int64_t timeout_ns)
{
    struct epoll_poll *p = self(poll);
    int n = fy_sys_epoll_wait(p->fd, p->events, EVENTS, epoll_busy(poll) ? 0 : timeout_ns);
    p->count = n > 0 ? n : 0;
    return n < 0 ? n : 0;
}

/* Thousands of sockets are more than a cache holds. So while the kernel works for one source, the next but one is fetched,
 * with what it is part of, which lies behind it; and the next, which is there by now, may fetch what it points to. */
static void look_ahead(const struct epoll_poll *p, int i)
{
    if (i + 2 < p->count)
        for (int line = 0; line < LINES; line++)
            __builtin_prefetch((const char *)p->events[i + 2].data.ptr + line * LINE);
    if (i + 1 >= p->count)
        return;
    struct fy_source *next = p->events[i + 1].data.ptr;
    if (next->live)
        next->done(next, &(struct fy_completion){.event = FY_SOON});
}

static unsigned epoll_reap(struct fy_poll *poll)
{
    struct epoll_poll *p = self(poll);
    struct fy_list again; /* those of the turn before; whoever joins now has had its turn */
    fy_list_init(&again);
    fy_list_splice(&again, &p->again);
    for (int i = 0; i < p->count; i++) {
        struct fy_source *source = p->events[i].data.ptr;
        look_ahead(p, i);
        if (source->live)
            dispatch(p, source, p->events[i].events);
    }
    for (struct fy_list *node; (node = fy_list_take(&again));)
        proceed(p, FY_CONTAINER(node, struct fy_source, again));
    unsigned count = (unsigned)p->count;
    p->count = 0;
    return count;
}

const struct fy_backend fy_backend_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .fd = epoll_fd,
    .add = epoll_add,
    .remove = epoll_remove,
    .request = epoll_request,
    .empty = epoll_empty,
    .busy = epoll_busy,
    .wait = epoll_sleep,
    .reap = epoll_reap,
};
