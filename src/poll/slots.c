/* SPDX-License-Identifier: MIT
 *
 * poll: io_uring: what each source has in the kernel.
 *
 * What is wanted of a source and what is in the kernel for it are brought together right before the call of the turn, so
 * that a request which is taken back within a turn costs nothing, and no operation waits in the ring for a descriptor that is
 * closed meanwhile, and then is another connection's.
 */
#include "poll/uring.h"
#include "sys/sys.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { SLOTS = 64 }; /* allocated at a time */

struct fy_slots {
    struct fy_slots *next;
    struct fy_slot each[SLOTS];
};

struct fy_slot *fy_slot_take(struct fy_uring *p)
{
    if (!p->free) {
        struct fy_slots *block = calloc(1, sizeof *block);
        if (!block)
            return NULL;
        block->next = p->slots;
        p->slots = block;
        for (int i = SLOTS; i-- > 0; p->free = &block->each[i])
            block->each[i].next_arm = p->free;
    }
    struct fy_slot *slot = p->free;
    p->free = slot->next_arm;
    *slot = (struct fy_slot){0};
    return slot;
}

/* Gone, and nothing of it is in the kernel or on a list. */
static void let_go(struct fy_uring *p, struct fy_slot *slot)
{
    if (slot->source || slot->armed || slot->arming || slot->coming || slot->inside)
        return;
    slot->next_arm = p->free;
    p->free = slot;
}

static void to_arm(struct fy_uring *p, struct fy_slot *slot)
{
    if (slot->arming)
        return;
    slot->arming = true;
    slot->next_arm = p->arm;
    p->arm = slot;
}

static void come_again(struct fy_uring *p, struct fy_slot *slot)
{
    if (slot->coming)
        return;
    slot->coming = true;
    slot->next_again = p->again;
    p->again = slot;
}

/* What should be in the kernel now. A poll for errors while nothing is received, since a reset is to be told then, too; and
 * from the first input on, since a receive may miss a reset that comes in the midst of what it receives (Linux 6.18: one
 * connection in five, when packets come fast), and would stay for ever. Once there it stays, and so does that for input, which is
 * asked for by turns. */
static unsigned char wanted(const struct fy_slot *slot)
{
    const struct fy_source *s = slot->source;
    unsigned ops = 0;
    if (!s)
        return 0;
    if ((s->wants & FY_WANT_RECEIVE) && !slot->held && slot->end == OPEN && !slot->afresh)
        ops |= BIT_RECEIVE;
    if (s->wants & FY_WANT_ACCEPT)
        ops |= BIT_ACCEPT;
    if ((s->wants & FY_WANT_READABLE) || (s->wants == 0 && (slot->armed & BIT_READABLE)))
        ops |= BIT_READABLE;
    if (s->wants == 0 || slot->expects || slot->heard || (slot->armed & BIT_WATCH))
        ops |= BIT_WATCH;
    return (unsigned char)ops;
}

bool fy_slot_has_news(const struct fy_slot *slot)
{
    const struct fy_source *s = slot->source;
    if (!s || !fy_slot_wants_input(slot))
        return false;
    return slot->held || slot->end == UNTOLD || ((s->wants & FY_WANT_READABLE) && slot->readable);
}

void fy_slot_settle(struct fy_uring *p, struct fy_slot *slot)
{
    if (wanted(slot) != (slot->armed & ~BIT_SEND))
        to_arm(p, slot);
    if (fy_slot_has_news(slot))
        come_again(p, slot);
    let_go(p, slot);
}

/* NULL: the queue is full, and the kernel takes nothing before its completions have been taken out. */
static struct io_uring_sqe *new_entry(struct fy_uring *p)
{
    struct io_uring_sqe *sqe = fy_ring_entry(&p->ring);
    if (sqe || !p->started || fy_sys_ring_enter(&p->ring, 0) < 0)
        return sqe;
    return fy_ring_entry(&p->ring);
}

uint64_t fy_slot_name(const struct fy_slot *slot, enum fy_op op)
{
    return (uint64_t)(uintptr_t)slot | (uint64_t)op;
}

static void prepare(struct io_uring_sqe *sqe, const struct fy_slot *slot, enum fy_op op)
{
    sqe->fd = slot->source->fd;
    sqe->user_data = fy_slot_name(slot, op);
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
static bool start(struct fy_uring *p, struct fy_slot *slot, enum fy_op op)
{
    struct io_uring_sqe *sqe = new_entry(p);
    if (!sqe)
        return false;
    prepare(sqe, slot, op);
    slot->armed |= (unsigned char)(1U << op);
    return true;
}

static bool cancel(struct fy_uring *p, struct fy_slot *slot, enum fy_op op)
{
    struct io_uring_sqe *sqe = new_entry(p);
    if (!sqe)
        return false;
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = fy_slot_name(slot, op);
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = CANCEL;
    slot->cancelled |= (unsigned char)(1U << op);
    return true;
}

static bool arm(struct fy_uring *p, struct fy_slot *slot)
{
    unsigned want = wanted(slot);
    for (enum fy_op op = RECEIVE; op <= WATCH; op++) {
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

void fy_slots_arm(struct fy_uring *p)
{
    for (struct fy_slot *slot; (slot = p->arm);) {
        if (!arm(p, slot))
            return;
        p->arm = slot->next_arm;
        slot->arming = false;
        let_go(p, slot);
    }
}

void fy_slots_lose_sends(struct fy_uring *p)
{
    for (struct fy_slots *block = p->slots; block; block = block->next)
        for (int i = 0; i < SLOTS; i++) {
            struct fy_slot *slot = &block->each[i];
            if (!(slot->armed & BIT_SEND))
                continue;
            slot->armed &= (unsigned char)~BIT_SEND;
            fy_slot_tell(slot, FY_SENT, -ECANCELED, NULL);
        }
}

void fy_slots_free(struct fy_uring *p)
{
    for (struct fy_slots *block; (block = p->slots);) {
        p->slots = block->next;
        for (int i = 0; i < SLOTS; i++)
            free(block->each[i].held);
        free(block);
    }
}
