/* SPDX-License-Identifier: MIT
 *
 * co: stacks.
 */
#include "co/stack.h"

#include "co/fiber.h"
#include "sys/sys.h"

#include <stdint.h>
#include <stdlib.h>

enum { GUARD = 16 << 10, SLAB_BYTES = 4 << 20, SLAB_LEAST = 4 };

/* Stacks of one size, mapped together. */
struct fy_slab {
    struct fy_slab *next;
    struct fy_sizes *of;
    char *base;
    size_t bytes;
    unsigned count;
    struct fy_stack stacks[];
};

struct fy_sizes {
    struct fy_sizes *next;
    size_t bytes; /* of a stack, its guard included */
    size_t guard; /* of that */
    struct fy_stack *idle;
    unsigned idle_count;
};

static size_t whole_pages(size_t bytes)
{
    const size_t page = fy_sys_page();
    return (bytes + page - 1) & ~(page - 1);
}

static struct fy_sizes *find_size(struct fy_stacks *stacks, size_t usable)
{
    const size_t guard = whole_pages(GUARD), bytes = whole_pages(usable) + guard;
    for (struct fy_sizes *s = stacks->sizes; s; s = s->next)
        if (s->bytes == bytes)
            return s;
    struct fy_sizes *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->bytes = bytes;
    s->guard = guard;
    s->next = stacks->sizes;
    stacks->sizes = s;
    return s;
}

static int install_guards(struct fy_slab *slab)
{
    int error = 0;
    for (unsigned i = 0; i < slab->count && error == 0; i++)
        error = fy_sys_guard(slab->stacks[i].base, slab->of->guard);
    return error;
}

/* Maps a slab and puts its stacks on the idle list. */
static bool map_slab(struct fy_stacks *stacks, struct fy_sizes *size)
{
    size_t fitting = SLAB_BYTES / size->bytes;
    unsigned count = fitting > SLAB_LEAST ? (unsigned)fitting : SLAB_LEAST;
    struct fy_slab *slab = calloc(1, sizeof *slab + count * sizeof slab->stacks[0]);
    if (!slab)
        return false;
    slab->of = size;
    slab->count = count;
    slab->bytes = count * size->bytes;
    slab->base = fy_sys_map_stacks(slab->bytes);
    if (!slab->base) {
        free(slab);
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        slab->stacks[i] = (struct fy_stack){.base = slab->base + i * size->bytes, .slab = slab};
    if (install_guards(slab) < 0) {
        fy_sys_unmap(slab->base, slab->bytes);
        free(slab);
        return false;
    }
    for (unsigned i = count; i-- > 0;) {
        slab->stacks[i].next = size->idle;
        size->idle = &slab->stacks[i];
        slab->stacks[i].valgrind_id = fy_fiber_stack(fy_stack_bottom(size->idle), fy_stack_top(size->idle));
    }
    size->idle_count += count;
    slab->next = stacks->slabs;
    stacks->slabs = slab;
    return true;
}

void fy_stacks_fini(struct fy_stacks *stacks)
{
    while (stacks->slabs) {
        struct fy_slab *slab = stacks->slabs;
        stacks->slabs = slab->next;
        for (unsigned i = 0; i < slab->count; i++)
            fy_fiber_no_stack(slab->stacks[i].valgrind_id);
        fy_sys_unmap(slab->base, slab->bytes);
        free(slab);
    }
    while (stacks->sizes) {
        struct fy_sizes *size = stacks->sizes;
        stacks->sizes = size->next;
        free(size);
    }
}

struct fy_stack *fy_stack_take(struct fy_stacks *stacks, size_t size)
{
    if (size > SIZE_MAX / SLAB_LEAST / 2)
        return NULL; /* so many bytes cannot even be counted */
    struct fy_sizes *of = find_size(stacks, size);
    if (!of || (!of->idle && !map_slab(stacks, of)))
        return NULL;
    struct fy_stack *stack = of->idle;
    of->idle = stack->next;
    of->idle_count--;
    return stack;
}

void fy_stack_give(struct fy_stack *stack)
{
    struct fy_sizes *of = stack->slab->of;
    if (of->idle_count >= FY_STACKS_WARM)
        fy_stack_forget(stack);
    stack->next = of->idle;
    of->idle = stack;
    of->idle_count++;
}

char *fy_stack_top(const struct fy_stack *stack)
{
    return stack->base + stack->slab->of->bytes;
}

char *fy_stack_bottom(const struct fy_stack *stack)
{
    return stack->base + stack->slab->of->guard;
}

size_t fy_stack_size(const struct fy_stack *stack)
{
    return stack->slab->of->bytes - stack->slab->of->guard;
}

size_t fy_stack_touched(const struct fy_stack *stack)
{
    size_t size = fy_stack_size(stack);
    size_t untouched = fy_sys_untouched(fy_stack_bottom(stack), size);
    return size - untouched;
}

void fy_stack_forget(const struct fy_stack *stack)
{
    fy_sys_discard(fy_stack_bottom(stack), fy_stack_size(stack));
}

bool fy_stack_guards(const struct fy_stack *stack, const void *address)
{
    const char *at = address;
    return at >= stack->base && at < fy_stack_bottom(stack);
}
