/* SPDX-License-Identifier: MIT
 *
 * base: many threads put letters in, one thread takes them all out, in the order they were put. Lock-free: a Treiber
 * stack (IBM RJ 5118, 1986) that is only ever emptied as a whole, so the ABA problem does not arise.
 *
 * Taking acquires what putting released: the letter, and its `next`. The relaxed load is a guess that the compare-and-swap
 * checks. Both exchanges are sequentially consistent, which is more than the mailbox needs for itself, because the loop's
 * sleep protocol (loop/loop.c) is a store and then a load on each side, over this word and one of the loop's.
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

static inline bool fy_mailbox_empty(const struct fy_mailbox *box)
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
