/* SPDX-License-Identifier: MIT
 *
 * poll: the io_uring backend; io_uring(7). One system call a turn: it submits what was requested since the last and
 * waits for what is done.
 *
 * A source's standing request is an operation that stays in the kernel and completes again and again (multishot):
 * accept, receive into buffers of the ring's (provided.h), or poll. What a source has there is its slot's to know. The
 * slot outlives the source: an operation that was cancelled is over only when the kernel says so, and its address is
 * what the kernel says it with.
 *
 * Requests only note what is wanted. What that means for the kernel is made out right before the call of the turn
 * (`arm`), so that a request which is taken back within a turn costs nothing, and no operation waits in the ring for a
 * descriptor that is closed meanwhile, and then is another connection's.
 *
 * The kernel may have received more than is wanted by the time it hears of that. It is held, and comes first later.
 */
#include "base/buffer.h"
#include "poll/loans.h"
#include "poll/poll.h"
#include "poll/provided.h"
#include "sys/ring.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
    SUBMISSIONS = 512,  /* the kernel's queues: what a turn may ask for, more costs a call more... */
    COMPLETIONS = 4096, /* ...and what may wait to be taken out; more it keeps elsewhere */
    SLOTS = 64,         /* allocated at a time */
    PIECE = 64 * 1024,  /* bytes told at a time */
    SETTLED = 64,       /* turns after which the thread is taken for the loop's own */
    SENDS = 32,         /* so many wait for no more: those who are answered first need not wait for the last */
    LINE = 64,          /* bytes; a cache line, */
    LINES = 6,          /* and how many a message touches */
};

/* Operations, which are bits in a slot; and by number, in the low bits of an address, what a completion is of. */
enum op { RECEIVE, ACCEPT, READABLE, WATCH, SEND, CANCEL, LOAN, OP_MASK = 7 };

enum {
    BIT_RECEIVE = 1 << RECEIVE,
    BIT_ACCEPT = 1 << ACCEPT,
    BIT_READABLE = 1 << READABLE,
    BIT_WATCH = 1 << WATCH,
    BIT_SEND = 1 << SEND
};

enum end { OPEN, UNTOLD, ENDED }; /* of the input */

struct fy_slot {
    struct fy_source *source; /* NULL: it is gone, and what is armed is on its way back */
    struct fy_buffer *held;   /* received before it was wanted */
    struct fy_slot *next_arm, *next_again;
    int result;              /* 0 or -errno, after what is held; if `end` says so */
    unsigned char armed;     /* in the kernel */
    unsigned char cancelled; /* of these, on their way back */
    unsigned char end;       /* enum end */
    unsigned char sends;     /* from a buffer with this number */
    bool arming : 1;         /* in uring_poll.arm */
    bool coming : 1;         /* in uring_poll.again */
    bool expects : 1;        /* FY_WRITABLE, as long as it lives */
    bool readable : 1;       /* and nobody has found it empty since */
    bool inside : 1;         /* a completion of it is being handled */
};

/* Slots come in blocks that stay where they are. */
struct block {
    struct block *next;
    struct fy_slot slots[SLOTS];
};

struct uring_poll {
    struct fy_poll base;
    struct fy_ring ring;
    bool started;
    unsigned turns;  /* since the last flush, up to SETTLED */
    unsigned unsent; /* sends that wait in the ring */
    bool alone;      /* the one event of this turn has not made anybody send yet */
    int bell;        /* what others ring, */
    int told;        /* what the kernel signals, and */
    int news;        /* an epoll of both; -1, both: nobody has asked for it */
    struct fy_provided buffers;
    struct fy_loans loans;
    struct fy_slot *free;
    struct fy_slot *arm;   /* wanted and armed differ */
    struct fy_slot *again; /* more to tell, next turn */
    struct block *blocks;
};

static struct uring_poll *self(struct fy_poll *poll)
{
    return (struct uring_poll *)poll;
}

/* Opening and closing. */

static int uring_fd(struct fy_poll *poll);
static void uring_close(struct fy_poll *poll);

static int open_with_buffers(struct uring_poll *p)
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
    struct uring_poll *p = calloc(1, sizeof *p);
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

static struct fy_loan *loan_of(const struct io_uring_cqe *cqe)
{
    return (struct fy_loan *)(uintptr_t)(cqe->user_data - LOAN);
}

/* What was accepted and never told is nobody's; what was lent comes back. */
static void take_rest(struct uring_poll *p)
{
    for (; fy_ring_ready(&p->ring) > 0; fy_ring_taken(&p->ring)) {
        const struct io_uring_cqe *cqe = fy_ring_completion(&p->ring, 0);
        enum op op = cqe->user_data & OP_MASK;
        if (op == ACCEPT && cqe->res >= 0)
            fy_sys_close(cqe->res);
        if (op == LOAN)
            fy_loan_completed(&p->loans, loan_of(cqe), cqe);
    }
}

static void close_news(struct uring_poll *p)
{
    if (p->told >= 0)
        fy_sys_close(p->told);
    if (p->news >= 0)
        fy_sys_close(p->news);
    p->told = p->news = -1;
}

static void uring_close(struct fy_poll *poll)
{
    struct uring_poll *p = self(poll);
    take_rest(p);
    fy_sys_ring_close(&p->ring);
    fy_loans_end(&p->loans); /* all sockets are closed: what was lent has been acknowledged, or dropped */
    close_news(p);
    fy_provided_close(&p->buffers);
    for (struct block *block; (block = p->blocks);) {
        p->blocks = block->next;
        for (int i = 0; i < SLOTS; i++)
            free(block->slots[i].held);
        free(block);
    }
    free(p);
}

static int open_news(struct uring_poll *p)
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
    struct uring_poll *p = self(poll);
    int error = p->news >= 0 ? 0 : open_news(p);
    if (error < 0) {
        close_news(p);
        return error;
    }
    return p->news;
}

/* Slots. */

static struct fy_slot *take_slot(struct uring_poll *p)
{
    if (!p->free) {
        struct block *block = calloc(1, sizeof *block);
        if (!block)
            return NULL;
        block->next = p->blocks;
        p->blocks = block;
        for (int i = SLOTS; i-- > 0; p->free = &block->slots[i])
            block->slots[i].next_arm = p->free;
    }
    struct fy_slot *slot = p->free;
    p->free = slot->next_arm;
    *slot = (struct fy_slot){0};
    return slot;
}

/* Gone, and nothing of it is in the kernel or on a list. */
static void let_go(struct uring_poll *p, struct fy_slot *slot)
{
    if (slot->source || slot->armed || slot->arming || slot->coming || slot->inside)
        return;
    slot->next_arm = p->free;
    p->free = slot;
}

static void to_arm(struct uring_poll *p, struct fy_slot *slot)
{
    if (slot->arming)
        return;
    slot->arming = true;
    slot->next_arm = p->arm;
    p->arm = slot;
}

static void come_again(struct uring_poll *p, struct fy_slot *slot)
{
    if (slot->coming)
        return;
    slot->coming = true;
    slot->next_again = p->again;
    p->again = slot;
}

/* What should be in the kernel now. A poll for errors while nothing is received, since a reset is to be told then, too;
 * once there it stays, and so does that for input, which is asked for by turns. */
static unsigned char wanted(const struct fy_slot *slot)
{
    const struct fy_source *s = slot->source;
    unsigned ops = 0;
    if (!s)
        return 0;
    if ((s->wants & FY_WANT_RECEIVE) && !slot->held && slot->end == OPEN)
        ops |= BIT_RECEIVE;
    if (s->wants & FY_WANT_ACCEPT)
        ops |= BIT_ACCEPT;
    if ((s->wants & FY_WANT_READABLE) || (s->wants == 0 && (slot->armed & BIT_READABLE)))
        ops |= BIT_READABLE;
    if (s->wants == 0 || slot->expects || (slot->armed & BIT_WATCH))
        ops |= BIT_WATCH;
    return (unsigned char)ops;
}

static bool has_input_wanted(const struct fy_slot *slot)
{
    return slot->source && (slot->source->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE));
}

static bool has_news(const struct fy_slot *slot)
{
    const struct fy_source *s = slot->source;
    if (!s || !has_input_wanted(slot))
        return false;
    return slot->held || slot->end == UNTOLD || ((s->wants & FY_WANT_READABLE) && slot->readable);
}

/* Something about it has changed. */
static void settle(struct uring_poll *p, struct fy_slot *slot)
{
    if (wanted(slot) != (slot->armed & ~BIT_SEND))
        to_arm(p, slot);
    if (has_news(slot))
        come_again(p, slot);
    let_go(p, slot);
}

static int uring_add(struct fy_poll *poll, struct fy_source *source)
{
    struct fy_slot *slot = take_slot(self(poll));
    if (!slot)
        return -ENOMEM;
    slot->source = source;
    source->slot = slot;
    source->wants = 0;
    source->live = true;
    settle(self(poll), slot);
    return 0;
}

static void arm_all(struct uring_poll *p);

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
    settle(self(poll), slot);
    if (!at_once)
        return;
    arm_all(self(poll));
    fy_sys_ring_enter(&self(poll)->ring, 0);
}

static void uring_request(struct fy_poll *poll, struct fy_source *source, unsigned wants)
{
    if (source->wants == wants)
        return;
    source->wants = (unsigned char)wants;
    settle(self(poll), source->slot);
}

static void uring_empty(struct fy_poll *poll, struct fy_source *source)
{
    (void)poll;
    source->slot->readable = false;
}

static void uring_expect(struct fy_poll *poll, struct fy_source *source)
{
    source->slot->expects = true;
    settle(self(poll), source->slot);
}

/* Submission. */

/* NULL: the queue is full, and the kernel takes nothing before its completions have been taken out. */
static struct io_uring_sqe *new_entry(struct uring_poll *p)
{
    struct io_uring_sqe *sqe = fy_ring_entry(&p->ring);
    if (sqe || !p->started || fy_sys_ring_enter(&p->ring, 0) < 0)
        return sqe;
    return fy_ring_entry(&p->ring);
}

static uint64_t name_of(const struct fy_slot *slot, enum op op)
{
    return (uint64_t)(uintptr_t)slot | (uint64_t)op;
}

static void prepare(struct io_uring_sqe *sqe, const struct fy_slot *slot, enum op op)
{
    sqe->fd = slot->source->fd;
    sqe->user_data = name_of(slot, op);
    switch (op) {
    case RECEIVE:
        sqe->opcode = IORING_OP_RECV;
        sqe->ioprio = IORING_RECV_MULTISHOT;
        sqe->flags = IOSQE_BUFFER_SELECT;
        break;
    case ACCEPT:
        sqe->opcode = IORING_OP_ACCEPT;
        sqe->ioprio = IORING_ACCEPT_MULTISHOT;
        sqe->accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
        break;
    default:
        sqe->opcode = IORING_OP_POLL_ADD;
        sqe->len = IORING_POLL_ADD_MULTI;
        sqe->poll32_events = op == READABLE ? POLLIN | POLLRDHUP : POLLOUT;
        break;
    }
}

/* False: the queue is full. */
static bool start(struct uring_poll *p, struct fy_slot *slot, enum op op)
{
    struct io_uring_sqe *sqe = new_entry(p);
    if (!sqe)
        return false;
    prepare(sqe, slot, op);
    slot->armed |= (unsigned char)(1U << op);
    return true;
}

static bool cancel(struct uring_poll *p, struct fy_slot *slot, enum op op)
{
    struct io_uring_sqe *sqe = new_entry(p);
    if (!sqe)
        return false;
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = name_of(slot, op);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = CANCEL;
    slot->cancelled |= (unsigned char)(1U << op);
    return true;
}

static bool arm(struct uring_poll *p, struct fy_slot *slot)
{
    unsigned want = wanted(slot);
    for (enum op op = RECEIVE; op <= WATCH; op++) {
        unsigned bit = 1U << op;
        bool ok = true;
        if ((want & bit) && !(slot->armed & bit))
            ok = start(p, slot, op);
        else if (!(want & bit) && (slot->armed & bit) && !(slot->cancelled & bit))
            ok = cancel(p, slot, op);
        if (!ok)
            return false;
    }
    return true;
}

static void arm_all(struct uring_poll *p)
{
    for (struct fy_slot *slot; (slot = p->arm);) {
        if (!arm(p, slot))
            return;
        p->arm = slot->next_arm;
        slot->arming = false;
        let_go(p, slot);
    }
}

/* NULL: the queue is full. */
static struct io_uring_sqe *new_send(struct uring_poll *p, struct fy_source *source, const void *data, size_t len)
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
    struct uring_poll *p = self(poll);
    if (p->alone) { /* a call of its own is cheaper than another turn to hear of it */
        p->alone = false;
        return false;
    }
    struct io_uring_sqe *sqe = new_send(p, source, data, len);
    if (!sqe)
        return false;
    sqe->opcode = IORING_OP_SEND;
    sqe->user_data = name_of(source->slot, SEND);
    source->slot->sends = fy_provided_keep(&p->buffers, data);
    return true;
}

static bool uring_lend(struct fy_poll *poll, struct fy_source *source, const void *data, size_t len,
                       struct fy_loan *loan)
{
    struct uring_poll *p = self(poll);
    struct io_uring_sqe *sqe = p->loans.refused ? NULL : new_send(p, source, data, len);
    if (!sqe)
        return false;
    fy_loan_prepare(&p->loans, loan, source->slot, sqe);
    sqe->user_data = (uint64_t)(uintptr_t)loan | LOAN;
    return true;
}

static void uring_submit(struct fy_poll *poll)
{
    struct uring_poll *p = self(poll);
    if (p->unsent == 0 || !p->started)
        return;
    p->unsent = 0;
    fy_sys_ring_submit(&p->ring); /* what it does not take leaves with the turn */
}

static bool uring_keeps(const struct fy_poll *poll, const void *data)
{
    return fy_provided_have(&((const struct uring_poll *)poll)->buffers, data);
}

/* Completion. */

static void tell(struct fy_slot *slot, enum fy_event event, ssize_t result, void *data)
{
    if (slot->source)
        slot->source->done(slot->source, &(struct fy_completion){event, result, data});
}

static void tell_end(struct fy_slot *slot)
{
    slot->end = ENDED;
    tell(slot, FY_RECEIVED, slot->result, NULL);
}

static void hold(struct fy_slot *slot, const char *data, size_t len)
{
    if (fy_buffer_append(&slot->held, data, len) || slot->end != OPEN)
        return;
    slot->end = UNTOLD;
    slot->result = -ENOMEM;
}

static bool takes_input(const struct fy_slot *slot)
{
    return slot->source && (slot->source->wants & FY_WANT_RECEIVE) && !slot->held && slot->end == OPEN;
}

/* Of so many bytes, what is told at a time: as much as a read is under epoll, since what is left of it counts against
 * max_input. */
static size_t piece(size_t len)
{
    return len < PIECE ? len : PIECE;
}

static void received(struct uring_poll *p, struct fy_slot *slot, const struct io_uring_cqe *cqe)
{
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        char *data = fy_provided_at(&p->buffers, cqe);
        size_t len = cqe->res > 0 ? (size_t)cqe->res : 0;
        size_t told = 0;
        for (; told < len && takes_input(slot); told += piece(len - told))
            tell(slot, FY_RECEIVED, (ssize_t)piece(len - told), data + told);
        if (told < len && slot->source)
            hold(slot, data + told, len - told);
        fy_provided_done(&p->buffers, cqe);
    }
    switch (cqe->res) {
    case -ENOBUFS: /* those that were lent are back by now */
    case -ECANCELED:
    case -EINTR:
    case -EAGAIN:
        return;
    default:
        if (cqe->res > 0 || !slot->source || slot->end != OPEN)
            return;
    }
    bool now = takes_input(slot);
    slot->result = cqe->res;
    slot->end = UNTOLD;
    if (now)
        tell_end(slot);
    else if (cqe->res < 0 && !(slot->source->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE)))
        tell(slot, FY_BROKEN, cqe->res, NULL);
}

static void accepted(struct fy_slot *slot, int result)
{
    if (result == -ECANCELED || result == -EAGAIN || result == -EINTR)
        return;
    if (!slot->source || !(slot->source->wants & FY_WANT_ACCEPT)) {
        if (result >= 0)
            fy_sys_close(result);
        return;
    }
    if (result < 0 && fy_sys_accept_passes(result))
        return;
    if (result < 0)
        slot->source->wants = 0;
    tell(slot, FY_ACCEPTED, result, NULL);
}

static void watched(struct fy_slot *slot, int events)
{
    const struct fy_source *s = slot->source;
    if (!s || events < 0)
        return;
    if ((events & POLLERR) && !(s->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE))) {
        int error = fy_sys_take_error(s->fd);
        if (error < 0)
            tell(slot, FY_BROKEN, error, NULL);
    }
    if ((events & (POLLOUT | POLLHUP)) && slot->source)
        tell(slot, FY_WRITABLE, 0, NULL);
}

/* Tells what was held, and how the input has ended; or that there may be something to receive, which must not overtake
 * what an operation is still to bring. */
static void proceed(struct fy_slot *slot)
{
    struct fy_buffer *held = slot->held;
    slot->held = NULL;
    while (held && has_input_wanted(slot)) {
        size_t len = piece(fy_buffer_size(held));
        tell(slot, FY_RECEIVED, (ssize_t)len, held->bytes + held->head);
        fy_buffer_consume(&held, len);
    }
    slot->held = slot->source ? held : NULL;
    if (!slot->source)
        free(held);
    if (!has_news(slot))
        return;
    if (slot->end == UNTOLD && has_news(slot) && !slot->held && !(slot->armed & BIT_RECEIVE))
        tell_end(slot);
    if (slot->readable && has_news(slot) && !(slot->armed & BIT_RECEIVE) && slot->end == OPEN)
        tell(slot, FY_READABLE, 0, NULL);
}

static void loan_completed(struct uring_poll *p, const struct io_uring_cqe *cqe)
{
    struct fy_slot *slot = loan_of(cqe)->slot;
    if (!fy_loan_completed(&p->loans, loan_of(cqe), cqe))
        return;
    slot->armed &= (unsigned char)~BIT_SEND;
    slot->inside = true;
    tell(slot, FY_SENT, cqe->res, NULL);
    slot->inside = false;
    settle(p, slot);
}

static void complete(struct uring_poll *p, const struct io_uring_cqe *cqe)
{
    enum op op = cqe->user_data & OP_MASK;
    if (op == LOAN) {
        loan_completed(p, cqe);
        return;
    }
    struct fy_slot *slot = (struct fy_slot *)(uintptr_t)(cqe->user_data - op);
    if (op == CANCEL)
        return; /* too late: it has completed by itself */
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        slot->armed &= (unsigned char)~(1U << op);
        slot->cancelled &= (unsigned char)~(1U << op);
    }
    unsigned number = slot->sends; /* it may send again when it has been told */
    slot->inside = true;
    switch (op) {
    case RECEIVE:
        received(p, slot, cqe);
        break;
    case ACCEPT:
        accepted(slot, cqe->res);
        break;
    case READABLE:
        slot->readable = slot->readable || cqe->res > 0;
        proceed(slot);
        break;
    case WATCH:
        watched(slot, cqe->res);
        break;
    default:
        tell(slot, FY_SENT, cqe->res, NULL);
        fy_provided_sent(&p->buffers, number);
        break;
    }
    slot->inside = false;
    settle(p, slot);
}

static bool uring_busy(const struct fy_poll *poll)
{
    const struct uring_poll *p = (const struct uring_poll *)poll;
    return p->again || !p->started || fy_ring_ready(&p->ring) > 0;
}

/* Takes the edges out. */
static void await_news(const struct uring_poll *p, int64_t timeout_ns)
{
    struct epoll_event events[2];
    fy_sys_epoll_wait(p->news, events, 2, timeout_ns);
}

static bool sleeps_apart(const struct uring_poll *p, int64_t timeout_ns)
{
    return timeout_ns != 0 && p->news >= 0 && fy_sys_ring_sleeps_alone();
}

static int wait_apart(struct uring_poll *p, int64_t timeout_ns)
{
    int error = fy_sys_ring_enter(&p->ring, 0);
    if (error < 0 || fy_ring_ready(&p->ring) > 0)
        return error;
    await_news(p, timeout_ns);
    return fy_sys_ring_enter(&p->ring, 0);
}

static int uring_wait(struct fy_poll *poll, int64_t timeout_ns)
{
    struct uring_poll *p = self(poll);
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
    arm_all(p);
    if (busy || p->arm)
        timeout_ns = 0;
    p->unsent = 0;
    error = sleeps_apart(p, timeout_ns) ? wait_apart(p, timeout_ns) : fy_sys_ring_enter(&p->ring, timeout_ns);
    return error == -EBUSY || error == -EAGAIN ? 0 : error;
}

static const struct fy_slot *slot_ahead(const struct uring_poll *p, unsigned i)
{
    const struct io_uring_cqe *cqe = fy_ring_completion(&p->ring, i);
    if ((cqe->user_data & OP_MASK) == LOAN)
        return NULL; /* it may be over by then */
    return (const struct fy_slot *)(uintptr_t)(cqe->user_data & ~(uint64_t)OP_MASK);
}

/* As for epoll: while the kernel's or the user's work for this source goes on, what the next but one will touch is
 * fetched, and what the next one points to. `left` completions follow. */
static void look_ahead(const struct uring_poll *p, unsigned left)
{
    const struct fy_slot *slot = left > 1 ? slot_ahead(p, 1) : NULL;
    if (slot && slot->source)
        for (int line = 0; line < LINES; line++)
            __builtin_prefetch((const char *)slot->source + line * LINE);
    slot = left > 0 ? slot_ahead(p, 0) : NULL;
    if (slot && slot->source)
        slot->source->done(slot->source, &(struct fy_completion){.event = FY_SOON});
}

static unsigned uring_reap(struct fy_poll *poll)
{
    struct uring_poll *p = self(poll);
    struct fy_slot *again = p->again; /* those of the turn before; whoever joins now has had its turn */
    p->again = NULL;
    unsigned count = fy_ring_ready(&p->ring);
    p->alone = count == 1;
    for (unsigned left = count; left-- > 0;) {
        const struct io_uring_cqe cqe = *fy_ring_completion(&p->ring, 0);
        fy_ring_taken(&p->ring);
        look_ahead(p, left);
        complete(p, &cqe);
        if (p->unsent >= SENDS)
            uring_submit(poll);
    }
    for (struct fy_slot *slot; (slot = again);) {
        again = slot->next_again;
        proceed(slot);
        slot->coming = false;
        settle(p, slot);
    }
    return count;
}

/* On a thread that may not enter the ring: what waits in it will never be sent. */
static void lose_sends(struct uring_poll *p)
{
    for (struct block *block = p->blocks; block; block = block->next)
        for (int i = 0; i < SLOTS; i++) {
            struct fy_slot *slot = &block->slots[i];
            if (!(slot->armed & BIT_SEND))
                continue;
            slot->armed &= (unsigned char)~BIT_SEND;
            tell(slot, FY_SENT, -ECANCELED, NULL);
        }
}

static void uring_flush(struct fy_poll *poll)
{
    struct uring_poll *p = self(poll);
    if (!p->started)
        return;
    arm_all(p);
    if (p->turns == SETTLED)
        fy_sys_ring_unregister(&p->ring);
    p->turns = 0;
    if (fy_sys_ring_enter(&p->ring, 0) == 0)
        return;
    uring_reap(poll);
    lose_sends(p);
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
