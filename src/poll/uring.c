/* SPDX-License-Identifier: MIT
 *
 * poll: the io_uring backend; io_uring(7). One system call a turn: it submits what was requested since the last and
 * waits for what is done.
 *
 * A source's standing request is an operation that stays in the kernel and completes again and again (multishot):
 * accept, receive into buffers of the ring's (provided.h), or poll. What a source has there is its slot's to know
 * (slots.c). The slot outlives the source: an operation that was cancelled is over only when the kernel says so, and its
 * address is what the kernel says it with.
 */
#include "poll/uring.h"

#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    SUBMISSIONS = 512,  /* the kernel's queues: what a turn may ask for, more costs a call more... */
    COMPLETIONS = 4096, /* ...and what may wait to be taken out; more it keeps elsewhere */
    SETTLED = 64,       /* turns after which the thread is taken for the loop's own */
    TRIES = 8,          /* of a call that the kernel has no room for */
    SENDS = 32,         /* so many wait for no more: those who are answered first need not wait for the last */
    LINE = 64,          /* bytes; a cache line, */
    LINES = 6,          /* and how many a message touches */
};

static struct fy_uring *self(struct fy_poll *poll)
{
    return (struct fy_uring *)poll;
}

/* Opening and closing. */

static int uring_fd(struct fy_poll *poll);
static void uring_close(struct fy_poll *poll);

static int open_with_buffers(struct fy_uring *p)
{
    int error = fy_sys_ring_open(&p->ring, SUBMISSIONS, COMPLETIONS);
    if (error < 0)
        return error;
    error = fy_provided_open(&p->buffers, &p->ring);
    if (error < 0)
        fy_sys_ring_close(&p->ring);
    return error;
}

static int uring_open(struct fy_poll **poll, int bell)
{
    struct fy_uring *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->base.backend = &fy_backend_uring;
    p->bell = bell;
    p->told = p->news = -1;
    fy_loans_init(&p->loans);
    int error = open_with_buffers(p);
    if (error < 0) {
        free(p);
        return error;
    }
    *poll = &p->base;
    if (fy_sys_ring_sleeps_alone() && (error = uring_fd(*poll)) < 0)
        uring_close(*poll);
    return error < 0 ? error : 0;
}

/* What was accepted and never told is nobody's; what was lent comes back. */
static void take_rest(struct fy_uring *p)
{
    for (; fy_ring_ready(&p->ring) > 0; fy_ring_taken(&p->ring)) {
        const struct io_uring_cqe *cqe = fy_ring_completion(&p->ring, 0);
        enum fy_op op = cqe->user_data & OP_MASK;
        if (op == ACCEPT && cqe->res >= 0)
            fy_sys_close(cqe->res);
        if (op == LOAN)
            fy_loan_completed(&p->loans, fy_loan_of(cqe), cqe);
    }
}

static void close_news(struct fy_uring *p)
{
    if (p->told >= 0)
        fy_sys_close(p->told);
    if (p->news >= 0)
        fy_sys_close(p->news);
    p->told = p->news = -1;
}

static void uring_close(struct fy_poll *poll)
{
    struct fy_uring *p = self(poll);
    take_rest(p);
    fy_sys_ring_close(&p->ring);
    fy_loans_end(&p->loans); /* all sockets are closed: what was lent has been acknowledged, or dropped */
    close_news(p);
    fy_provided_close(&p->buffers);
    fy_slots_free(p);
    free(p);
}

static int open_news(struct fy_uring *p)
{
    int error;
    if ((p->told = fy_sys_eventfd()) < 0)
        return p->told;
    if ((p->news = fy_sys_epoll_create()) < 0)
        return p->news;
    if ((error = fy_sys_ring_tell(&p->ring, p->told)) < 0)
        return error;
    error = fy_sys_epoll_ctl(p->news, EPOLL_CTL_ADD, p->told, EPOLLIN | EPOLLET, NULL);
    if (error == 0 && p->bell >= 0)
        error = fy_sys_epoll_ctl(p->news, EPOLL_CTL_ADD, p->bell, EPOLLIN | EPOLLET, NULL);
    return error;
}

/* The ring's own descriptor becomes readable when a completion has been worked out, which is when the loop asks for it:
 * never while it is polled. An eventfd that is registered with the ring is told earlier; but not of what another
 * eventfd completes, beyond the first time: so the bell is watched, too. */
static int uring_fd(struct fy_poll *poll)
{
    struct fy_uring *p = self(poll);
    int error = p->news >= 0 ? 0 : open_news(p);
    if (error < 0) {
        close_news(p);
        return error;
    }
    return p->news;
}

/* Requests. */

static int uring_add(struct fy_poll *poll, struct fy_source *source)
{
    struct fy_slot *slot = fy_slot_take(self(poll));
    if (!slot)
        return -ENOMEM;
    slot->source = source;
    source->slot = slot;
    source->wants = 0;
    source->live = true;
    fy_slot_settle(self(poll), slot);
    return 0;
}

/* A listening socket is to be deaf as soon as its descriptor is closed, which it is not before the last operation on it
 * is over. */
static void uring_remove(struct fy_poll *poll, struct fy_source *source)
{
    struct fy_slot *slot = source->slot;
    bool at_once = slot->armed & BIT_ACCEPT;
    source->live = false;
    source->wants = 0;
    slot->source = NULL;
    free(slot->held);
    slot->held = NULL;
    fy_slot_settle(self(poll), slot);
    if (!at_once)
        return;
    fy_slots_arm(self(poll));
    fy_sys_ring_enter(&self(poll)->ring, 0);
}

static void uring_request(struct fy_poll *poll, struct fy_source *source, unsigned wants)
{
    if (source->wants == wants)
        return;
    source->wants = (unsigned char)wants;
    fy_slot_settle(self(poll), source->slot);
}

static void uring_empty(struct fy_poll *poll, struct fy_source *source)
{
    (void)poll;
    source->slot->readable = false;
}

static void uring_expect(struct fy_poll *poll, struct fy_source *source)
{
    source->slot->expects = true;
    fy_slot_settle(self(poll), source->slot);
}

/* Sending. */

/* NULL: the queue is full. */
static struct io_uring_sqe *new_send(struct fy_uring *p, struct fy_source *source, const void *data, size_t len)
{
    struct io_uring_sqe *sqe = fy_ring_entry(&p->ring);
    if (!sqe)
        return NULL;
    sqe->fd = source->fd;
    sqe->addr = (uint64_t)(uintptr_t)data;
    sqe->len = (unsigned)len;
    sqe->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    source->slot->armed |= BIT_SEND;
    source->slot->sends = 0;
    p->unsent++;
    return sqe;
}

static bool uring_send(struct fy_poll *poll, struct fy_source *source, const void *data, size_t len)
{
    struct fy_uring *p = self(poll);
    if (p->alone) { /* a call of its own is cheaper than another turn to hear of it */
        p->alone = false;
        return false;
    }
    struct io_uring_sqe *sqe = new_send(p, source, data, len);
    if (!sqe)
        return false;
    sqe->opcode = IORING_OP_SEND;
    sqe->user_data = fy_slot_name(source->slot, SEND);
    source->slot->sends = fy_provided_keep(&p->buffers, data);
    return true;
}

static bool uring_lend(struct fy_poll *poll, struct fy_source *source, const void *data, size_t len,
                       struct fy_loan *loan)
{
    struct fy_uring *p = self(poll);
    struct io_uring_sqe *sqe = p->loans.refused ? NULL : new_send(p, source, data, len);
    if (!sqe)
        return false;
    fy_loan_prepare(&p->loans, loan, source->slot, sqe);
    sqe->user_data = (uint64_t)(uintptr_t)loan | LOAN;
    return true;
}

static void uring_submit(struct fy_poll *poll)
{
    struct fy_uring *p = self(poll);
    if (p->unsent == 0 || !p->started)
        return;
    p->unsent = 0;
    fy_sys_ring_submit(&p->ring); /* what it does not take leaves with the turn */
}

static bool uring_keeps(const struct fy_poll *poll, const void *data)
{
    return fy_provided_have(&((const struct fy_uring *)poll)->buffers, data);
}

/* A turn. */

static bool uring_busy(const struct fy_poll *poll)
{
    const struct fy_uring *p = (const struct fy_uring *)poll;
    return p->again || !p->started || fy_ring_ready(&p->ring) > 0;
}

/* Takes the edges out. */
static void await_news(const struct fy_uring *p, int64_t timeout_ns)
{
    struct epoll_event events[2];
    fy_sys_epoll_wait(p->news, events, 2, timeout_ns);
}

static bool sleeps_apart(const struct fy_uring *p, int64_t timeout_ns)
{
    return timeout_ns != 0 && p->news >= 0 && fy_sys_ring_sleeps_alone();
}

static int wait_apart(struct fy_uring *p, int64_t timeout_ns)
{
    int error = fy_sys_ring_enter(&p->ring, 0);
    if (error < 0 || fy_ring_ready(&p->ring) > 0)
        return error;
    await_news(p, timeout_ns);
    return fy_sys_ring_enter(&p->ring, 0);
}

static int uring_wait(struct fy_poll *poll, int64_t timeout_ns)
{
    struct fy_uring *p = self(poll);
    int error = 0;
    if (!p->started)
        error = fy_sys_ring_start(&p->ring);
    if (error < 0)
        return error;
    p->started = true;
    if (p->news >= 0)
        await_news(p, 0);
    if (p->turns < SETTLED && ++p->turns == SETTLED)
        fy_sys_ring_register(&p->ring);
    bool busy = uring_busy(poll);
    fy_provided_refill(&p->buffers);
    fy_slots_arm(p);
    if (busy || p->arm)
        timeout_ns = 0;
    p->unsent = 0;
    error = sleeps_apart(p, timeout_ns) ? wait_apart(p, timeout_ns) : fy_sys_ring_enter(&p->ring, timeout_ns);
    return error == -EBUSY || error == -EAGAIN ? 0 : error;
}

static const struct fy_slot *slot_ahead(const struct fy_uring *p, unsigned i)
{
    const struct io_uring_cqe *cqe = fy_ring_completion(&p->ring, i);
    if ((cqe->user_data & OP_MASK) == LOAN)
        return NULL; /* it may be over by then */
    return (const struct fy_slot *)(uintptr_t)(cqe->user_data & ~(uint64_t)OP_MASK);
}

/* As for epoll: while the kernel's or the user's work for this source goes on, what the next but one will touch is
 * fetched, and what the next one points to. `left` completions follow. */
static void look_ahead(const struct fy_uring *p, unsigned left)
{
    const struct fy_slot *slot = left > 2 ? slot_ahead(p, 2) : NULL;
    __builtin_prefetch(slot);
    slot = left > 1 ? slot_ahead(p, 1) : NULL;
    if (slot && slot->source)
        for (int line = 0; line < LINES; line++)
            __builtin_prefetch((const char *)slot->source + line * LINE);
    slot = left > 0 ? slot_ahead(p, 0) : NULL;
    if (slot && slot->source)
        slot->source->done(slot->source, &(struct fy_completion){.event = FY_SOON});
}

static unsigned uring_reap(struct fy_poll *poll)
{
    struct fy_uring *p = self(poll);
    struct fy_slot *again = p->again; /* those of the turn before; whoever joins now has had its turn */
    p->again = NULL;
    unsigned count = fy_ring_ready(&p->ring);
    p->alone = count == 1;
    for (unsigned left = count; left-- > 0;) {
        const struct io_uring_cqe cqe = *fy_ring_completion(&p->ring, 0);
        fy_ring_taken(&p->ring);
        look_ahead(p, left);
        fy_uring_complete(p, &cqe);
        if (p->unsent >= SENDS)
            uring_submit(poll);
    }
    for (struct fy_slot *slot; (slot = again);) {
        again = slot->next_again;
        fy_slot_proceed(slot);
        slot->coming = false;
        fy_slot_settle(p, slot);
    }
    return count;
}

static void uring_flush(struct fy_poll *poll)
{
    struct fy_uring *p = self(poll);
    if (!p->started)
        return;
    fy_slots_arm(p);
    if (p->turns == SETTLED)
        fy_sys_ring_unregister(&p->ring);
    p->turns = 0;
    int error = fy_sys_ring_enter(&p->ring, 0);
    for (int i = 0; i < TRIES && (error == -EBUSY || error == -EAGAIN); i++) {
        uring_reap(poll);
        error = fy_sys_ring_enter(&p->ring, 0);
    }
    if (error == 0 || error == -EBUSY || error == -EAGAIN)
        return; /* what is left goes with the next call */
    uring_reap(poll);
    fy_slots_lose_sends(p); /* this thread may not enter the ring, and no other will */
}

const struct fy_backend fy_backend_uring = {
    .name = "io_uring",
    .open = uring_open,
    .close = uring_close,
    .fd = uring_fd,
    .add = uring_add,
    .remove = uring_remove,
    .request = uring_request,
    .empty = uring_empty,
    .expect = uring_expect,
    .send = uring_send,
    .lend = uring_lend,
    .submit = uring_submit,
    .keeps = uring_keeps,
    .busy = uring_busy,
    .wait = uring_wait,
    .reap = uring_reap,
    .flush = uring_flush,
};
