/* SPDX-License-Identifier: MIT
 *
 * Stacks on a kernel with bigger pages than this one's, as many on aarch64 have. The linker (--wrap) puts the calls in our hands:
 * they refuse what such a kernel refuses.
 */
#include "case.h"
#include "parked.h"

#include "sys/sys.h"

#include <errno.h>
#include <ferry/ferry.h>
#include <string.h>

static size_t page;

size_t __wrap_fy_sys_page(void);
int __real_fy_sys_guard(void *base, size_t bytes);
int __wrap_fy_sys_guard(void *base, size_t bytes);
void __real_fy_sys_discard(void *base, size_t bytes);
void __wrap_fy_sys_discard(void *base, size_t bytes);
size_t __real_fy_sys_untouched(void *base, size_t bytes);
size_t __wrap_fy_sys_untouched(void *base, size_t bytes);

size_t __wrap_fy_sys_page(void)
{
    return page;
}

/* Where a mapping begins is this kernel's affair: relative to that, all is to be by pages. */
static uintptr_t mapped;

static bool by_pages(void *base, size_t bytes)
{
    if (mapped == 0)
        mapped = (uintptr_t)base;
    return ((uintptr_t)base - mapped) % page == 0 && bytes % page == 0;
}

int __wrap_fy_sys_guard(void *base, size_t bytes)
{
    return by_pages(base, bytes) ? __real_fy_sys_guard(base, bytes) : -EINVAL;
}

void __wrap_fy_sys_discard(void *base, size_t bytes)
{
    assert_true(by_pages(base, bytes));
    __real_fy_sys_discard(base, bytes);
}

size_t __wrap_fy_sys_untouched(void *base, size_t bytes)
{
    assert_true(by_pages(base, bytes));
    return __real_fy_sys_untouched(base, bytes);
}

struct use {
    size_t bytes; /* of its stack, that it fills */
    bool filled;
};

static void fill(void *arg)
{
    struct use *use = arg;
    volatile size_t size = use->bytes;
    char bytes[size];
    memset(bytes, 1, size);
    ferry_yield();
    use->filled = bytes[size / 2] == 1;
}

/* Several of each size, so that they lie side by side. */
static void fill_stacks(struct host *host, size_t stack_size)
{
    struct use uses[8];
    ferry_co *cos[8];
    const ferry_spawn_options options = {.name = "filler", .stack_size = stack_size};
    for (size_t i = 0; i < 8; i++) {
        uses[i] = (struct use){.bytes = stack_size - 8 * 1024};
        cos[i] = ferry_spawn_as(ferry_pool_loop(host->pool, 0), fill, &uses[i], &options);
        assert_non_null(cos[i]);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(ferry_join(cos[i]), 0);
        assert_true(uses[i].filled);
    }
}

static void stacks_are_whole_pages_of_any_size(void)
{
    static const size_t pages[] = {4096, 16384, 65536}, sizes[] = {20 * 1024, 64 * 1024, 100 * 1000};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
            struct host host;
            case_row("pages of %zu, stacks of %zu", pages[i], sizes[k]);
            page = pages[i];
            mapped = 0;
            host_bare(&host, 1);
            fill_stacks(&host, sizes[k]);
            host_stop(&host);
        }
}

static void note(void *arg)
{
    ((struct use *)arg)->filled = true;
}

/* It is not made smaller by counting round. */
static void a_stack_that_cannot_be_is_none(void)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2, SIZE_MAX / 4 + 4096};
    struct host host;
    page = 4096;
    mapped = 0;
    host_bare(&host, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct use use = {0};
        const ferry_spawn_options options = {.name = "giant", .stack_size = sizes[i]};
        case_row("%zu bytes", sizes[i]);
        ferry_co *co = ferry_spawn_as(ferry_pool_loop(host.pool, 0), note, &use, &options);
        assert_non_null(co);
        assert_int_equal(ferry_join(co), 0);
        assert_false(use.filled);
    }
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"stacks_are_whole_pages_of_any_size", stacks_are_whole_pages_of_any_size},
    {"a_stack_that_cannot_be_is_none", a_stack_that_cannot_be_is_none},
    {NULL, NULL},
};
