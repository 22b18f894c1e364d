/* SPDX-License-Identifier: MIT
 *
 * poll: io_uring: what its completions mean.
 *
 * The kernel may have received more than is wanted by the time it hears of that. It is held, and comes first later.
 */
#include "poll/uring.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

enum { PIECE = 64 * 1024 }; /* bytes told at a time */

static void tell_end(struct fy_slot *slot)
{
    slot->end = ENDED;
    fy_slot_tell(slot, FY_RECEIVED, slot->result, NULL);
}

static void hold(struct fy_slot *slot, const char *data, size_t len)
{
    if (slot->end != OPEN || fy_buffer_append(&slot->held, data, len))
        return; /* nothing comes behind an end, as when memory was short before */
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

/* A reset that finds the peer's FIN already there is not told by recv(2), which goes on saying 0; nor by the watch again. */
static int end_of_input(const struct fy_slot *slot, int result)
{
    return result == 0 && slot->broken ? fy_sys_take_error(slot->source->fd) : result;
}

static void received(struct fy_uring *p, struct fy_slot *slot, const struct io_uring_cqe *cqe)
{
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        char *data = fy_provided_at(&p->buffers, cqe);
        size_t len = cqe->res > 0 ? (size_t)cqe->res : 0;
        size_t told = 0;
        slot->heard = true;
        for (; told < len && takes_input(slot); told += piece(len - told))
            fy_slot_tell(slot, FY_RECEIVED, (ssize_t)piece(len - told), data + told);
        if (told < len && slot->source)
            hold(slot, data + told, len - told);
        fy_provided_done(&p->buffers, cqe);
    }
    switch (cqe->res) {
    case -ENOBUFS:
        p->buffers.scarce = true;
        return;
    case -ECANCELED:
    case -EINTR:
    case -EAGAIN:
        return;
    default:
        if (cqe->res > 0 || !slot->source || slot->end != OPEN)
            return;
    }
    bool now = takes_input(slot);
    slot->result = (short)end_of_input(slot, cqe->res);
    slot->end = UNTOLD;
    if (now)
        tell_end(slot);
    else if (cqe->res < 0 && !(slot->source->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE)))
        fy_slot_tell(slot, FY_BROKEN, cqe->res, NULL);
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
    fy_slot_tell(slot, FY_ACCEPTED, result, NULL);
}

static void watched(struct fy_slot *slot, int events)
{
    const struct fy_source *s = slot->source;
    if (!s || events < 0)
        return;
    slot->broken = slot->broken || (events & POLLERR);
    if ((events & POLLERR) && !(s->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE))) {
        int error = fy_sys_take_error(s->fd);
        if (error < 0)
            fy_slot_tell(slot, FY_BROKEN, error, NULL);
    }
    if ((events & POLLERR) && takes_input(slot) && (slot->armed & BIT_RECEIVE)) {
        slot->afresh = true; /* it may have missed that; one that begins now gets what is left, then the error, */
        return;              /* which is told only once: whoever writes now would take it for a reset */
    }
    if ((events & (POLLOUT | POLLHUP)) && slot->source)
        fy_slot_tell(slot, FY_WRITABLE, 0, NULL);
}

/* Tells what was held, and how the input has ended; or that there may be something to receive, which must not overtake
 * what an operation is still to bring. */
void fy_slot_proceed(struct fy_slot *slot)
{
    struct fy_buffer *held = slot->held;
    slot->held = NULL;
    while (held && fy_slot_wants_input(slot)) {
        size_t len = piece(fy_buffer_size(held));
        fy_slot_tell(slot, FY_RECEIVED, (ssize_t)len, held->bytes + held->head);
        fy_buffer_consume(&held, len);
    }
    slot->held = slot->source ? held : NULL;
    if (!slot->source)
        free(held);
    if (!fy_slot_has_news(slot))
        return;
    if (slot->end == UNTOLD && fy_slot_has_news(slot) && !slot->held && !(slot->armed & BIT_RECEIVE))
        tell_end(slot);
    if (slot->readable && fy_slot_has_news(slot) && !(slot->armed & BIT_RECEIVE) && slot->end == OPEN)
        fy_slot_tell(slot, FY_READABLE, 0, NULL);
}

static void loan_completed(struct fy_uring *p, const struct io_uring_cqe *cqe)
{
    struct fy_slot *slot = fy_loan_of(cqe)->slot;
    if (!fy_loan_completed(&p->loans, fy_loan_of(cqe), cqe))
        return;
    slot->armed &= (unsigned char)~BIT_SEND;
    slot->inside = true;
    fy_slot_tell(slot, FY_SENT, cqe->res, NULL);
    slot->inside = false;
    fy_slot_settle(p, slot);
}

void fy_uring_complete(struct fy_uring *p, const struct io_uring_cqe *cqe)
{
    enum fy_op op = cqe->user_data & OP_MASK;
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
        if (op == RECEIVE)
            slot->afresh = false;
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
        fy_slot_proceed(slot);
        break;
    case WATCH:
        watched(slot, cqe->res);
        break;
    default:
        fy_slot_tell(slot, FY_SENT, cqe->res, NULL);
        fy_provided_sent(&p->buffers, number);
        break;
    }
    slot->inside = false;
    fy_slot_settle(p, slot);
}
