/* SPDX-License-Identifier: MIT
 *
 * co: stacks. Mapped in slabs, each stack with a guard below it, reused last in, first out.
 *
 *     base                                                        top
 *     |    guard     |  ................ unused ....  <-- grows  |
 *
 * A guard is pages that fault: 16 KiB of them, or one if pages are bigger, so that a frame of some size does not step over it.
 * Linux 6.13 marks it in the page table (MADV_GUARD_INSTALL), so that a slab stays one map entry, however many stacks it
 * has; before that, mprotect(2) splits the map at each guard, and a process runs into vm.max_map_count at some 32,700
 * stacks.
 *
 * What has been touched stays touched: reuse is cheap, a fresh page costs a fault. Beyond FY_STACKS_WARM idle stacks of
 * a size, one that is given back loses its pages.
 */
#ifndef FY_CO_STACK_H
#define FY_CO_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct fy_slab;

struct fy_stack {
    struct fy_stack *next; /* idle ones of the same size */
    char *base;            /* of the guard */
    struct fy_slab *slab;
    unsigned valgrind_id;
};

enum { FY_STACKS_WARM = 256 };

/* A loop's stacks. Its thread only. */
struct fy_stacks {
    struct fy_slab *slabs;
    struct fy_sizes *sizes; /* the idle ones, a list a size */
};

void fy_stacks_fini(struct fy_stacks *stacks);

/* A stack with at least `size` usable bytes, NULL = no memory or no map entries. */
struct fy_stack *fy_stack_take(struct fy_stacks *stacks, size_t size);
void fy_stack_give(struct fy_stack *stack);

char *fy_stack_top(const struct fy_stack *stack);
char *fy_stack_bottom(const struct fy_stack *stack); /* the lowest usable byte */
size_t fy_stack_size(const struct fy_stack *stack);  /* usable */

/* Bytes from the top down to the deepest page that is in memory. */
size_t fy_stack_touched(const struct fy_stack *stack);

/* Gives its pages back, so that fy_stack_touched() counts afresh. Nobody may be on it. */
void fy_stack_forget(const struct fy_stack *stack);

/* Whether the address is in the stack's guard. */
bool fy_stack_guards(const struct fy_stack *stack, const void *address);

#endif
