/* SPDX-License-Identifier: MIT
 *
 * poll: what the files of the io_uring backend share: uring.c, the interface; slots.c, what is in the kernel; complete.c,
 * what comes out of it.
 */
#ifndef FY_POLL_URING_H
#define FY_POLL_URING_H

#include "base/buffer.h"
#include "poll/loans.h"
#include "poll/poll.h"
#include "poll/provided.h"
#include "sys/ring.h"

/* Operations, which are bits in a slot; and by number, in the low bits of an address, what a completion is of. */
enum fy_op { RECEIVE, ACCEPT, READABLE, WATCH, SEND, CANCEL, LOAN, OP_MASK = 7 };

enum {
    BIT_RECEIVE = 1 << RECEIVE,
    BIT_ACCEPT = 1 << ACCEPT,
    BIT_READABLE = 1 << READABLE,
    BIT_WATCH = 1 << WATCH,
    BIT_SEND = 1 << SEND
};

enum fy_end { OPEN, UNTOLD, ENDED }; /* of the input */

struct fy_slot {
    struct fy_source *source; /* NULL: it is gone, and what is armed is on its way back */
    struct fy_buffer *held;   /* received before it was wanted */
    struct fy_slot *next_arm, *next_again;
    short result;            /* 0 or -errno, after what is held; if `end` says so */
    unsigned char armed;     /* in the kernel */
    unsigned char cancelled; /* of these, on their way back */
    unsigned char end;       /* enum fy_end */
    unsigned char sends;     /* from a buffer with this number */
    bool arming : 1;         /* in fy_uring.arm */
    bool coming : 1;         /* in fy_uring.again */
    bool expects : 1;        /* FY_WRITABLE, as long as it lives */
    bool readable : 1;       /* and nobody has found it empty since */
    bool broken : 1;         /* there was an error, which who receives is told */
    bool inside : 1;         /* a completion of it is being handled */
    bool heard : 1;          /* something has been received */
    bool afresh : 1;         /* what receives is to begin anew */
};

struct fy_uring {
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
    struct fy_slot *arm;    /* wanted and armed differ */
    struct fy_slot *again;  /* more to tell, next turn */
    struct fy_slots *slots; /* all there are, in blocks that stay where they are */
};

static inline bool fy_slot_wants_input(const struct fy_slot *slot)
{
    return slot->source && (slot->source->wants & (FY_WANT_RECEIVE | FY_WANT_READABLE));
}

static inline void fy_slot_tell(struct fy_slot *slot, enum fy_event event, ssize_t result, void *data)
{
    if (slot->source)
        slot->source->done(slot->source, &(struct fy_completion){event, result, data});
}

static inline struct fy_loan *fy_loan_of(const struct io_uring_cqe *cqe)
{
    return (struct fy_loan *)(uintptr_t)(cqe->user_data - LOAN);
}

/* slots.c. NULL: no memory. */
struct fy_slot *fy_slot_take(struct fy_uring *p);
void fy_slots_free(struct fy_uring *p);

/* What its operations are called in the kernel. */
uint64_t fy_slot_name(const struct fy_slot *slot, enum fy_op op);

/* Whether there is something to tell it that the kernel has said before. */
bool fy_slot_has_news(const struct fy_slot *slot);

/* Something about it has changed. */
void fy_slot_settle(struct fy_uring *p, struct fy_slot *slot);

/* Puts what the slots want, or want no more, into the ring, as far as that has room. */
void fy_slots_arm(struct fy_uring *p);

/* What they had to send and is still in the ring will never be sent: they are told. */
void fy_slots_lose_sends(struct fy_uring *p);

/* complete.c. Tells a source of a completion, and of what was held, or how its input has ended. */
void fy_uring_complete(struct fy_uring *p, const struct io_uring_cqe *cqe);
void fy_slot_proceed(struct fy_slot *slot);

#endif
