/* SPDX-License-Identifier: MIT
 *
 * What hooks.c, which the compiler calls, makes of each access of memory: atomics.c.
 */
#ifndef INTERLEAVE_ATOMICS_H
#define INTERLEAVE_ATOMICS_H

#include <stddef.h>
#include <stdint.h>

/* An atomic access. */
struct word {
    void *at;
    size_t size;
    int order;         /* __ATOMIC_* */
    const void *place; /* in the code */
};

uint64_t atomics_load(struct word w);
void atomics_store(struct word w, uint64_t value);

/* Reads, and writes what `next` makes of it. */
uint64_t atomics_modify(struct word w, uint64_t operand, uint64_t (*next)(uint64_t before, uint64_t operand));

/* A weak one does not fail for no reason here. */
int atomics_compare(struct word w, void *expected, uint64_t value, int failed_order);

/* Plain accesses. */
void atomics_look(const void *address, size_t size);
void atomics_change(const void *address, size_t size);

#endif
