/* SPDX-License-Identifier: MIT
 *
 * base: many threads put letters in, one thread takes them all out, in the order they were put. Lock-free: a Treiber
 * stack (IBM RJ 5118, 1986) that is only ever emptied as a whole, so the ABA problem does not arise.
 *
 * The exchange that takes a letter must acquire what the one that put it released: next, and the letter. The load in front of
 * the compare-and-swap is a guess that it checks. Both operations are more, sequentially consistent. The loop's sleep protocol (loop/loop.c) is a store-then-load on each side
 * over two words, this one and its own, and needs no less.
 */
#ifndef FY_BASE_MAILBOX_H
#define FY_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct fy_letter {
    struct fy_letter *next;
};

struct fy_mailbox {
    _Atomic(struct fy_letter *) newest;
};

static inline void fy_mailbox_put(struct fy_mailbox *box, struct fy_letter *letter)
{
    struct fy_letter *old = atomic_load_explicit(&box->newest, memory_order_relaxed);
    do
        letter->next = old;
    while (!atomic_compare_exchange_weak(&box->newest, &old, letter));
}

static inline bool fy_mailbox_empty(struct fy_mailbox *box)
{
    return atomic_load(&box->newest) == NULL;
}

/* Takes all letters; the oldest comes first, linked by next. */
static inline struct fy_letter *fy_mailbox_take(struct fy_mailbox *box)
{
    struct fy_letter *newest = atomic_exchange(&box->newest, NULL);
    struct fy_letter *oldest = NULL;
    while (newest) {
        struct fy_letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

#endif
