/* SPDX-License-Identifier: MIT
 *
 * What the compiler calls for -fsanitize=thread, as far as the library needs it: the sanitizer's interface.
 */
#include "atomics.h"

static struct word word(const volatile void *at, size_t size, int order, const void *place)
{
    return (struct word){(void *)(uintptr_t)at, size, order, place};
}

static uint64_t replaced(uint64_t before, uint64_t operand)
{
    (void)before;
    return operand;
}

static uint64_t sum(uint64_t before, uint64_t operand)
{
    return before + operand;
}

static uint64_t difference(uint64_t before, uint64_t operand)
{
    return before - operand;
}

uint8_t __tsan_atomic8_load(const volatile uint8_t *at, int order)
{
    return (uint8_t)atomics_load(word(at, sizeof *at, order, __builtin_return_address(0)));
}

void __tsan_atomic8_store(volatile uint8_t *at, uint8_t value, int order)
{
    atomics_store(word(at, sizeof *at, order, __builtin_return_address(0)), value);
}

uint8_t __tsan_atomic8_exchange(volatile uint8_t *at, uint8_t value, int order)
{
    return (uint8_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, replaced);
}

uint32_t __tsan_atomic32_load(const volatile uint32_t *at, int order)
{
    return (uint32_t)atomics_load(word(at, sizeof *at, order, __builtin_return_address(0)));
}

void __tsan_atomic32_store(volatile uint32_t *at, uint32_t value, int order)
{
    atomics_store(word(at, sizeof *at, order, __builtin_return_address(0)), value);
}

uint32_t __tsan_atomic32_exchange(volatile uint32_t *at, uint32_t value, int order)
{
    return (uint32_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, replaced);
}

uint32_t __tsan_atomic32_fetch_add(volatile uint32_t *at, uint32_t value, int order)
{
    return (uint32_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, sum);
}

uint32_t __tsan_atomic32_fetch_sub(volatile uint32_t *at, uint32_t value, int order)
{
    return (uint32_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, difference);
}

int __tsan_atomic32_compare_exchange_strong(volatile uint32_t *at, uint32_t *expected, uint32_t value, int order,
                                            int failed)
{
    return atomics_compare(word(at, sizeof *at, order, __builtin_return_address(0)), expected, value, failed);
}

int __tsan_atomic32_compare_exchange_weak(volatile uint32_t *at, uint32_t *expected, uint32_t value, int order,
                                          int failed)
{
    return atomics_compare(word(at, sizeof *at, order, __builtin_return_address(0)), expected, value, failed);
}

uint64_t __tsan_atomic64_load(const volatile uint64_t *at, int order)
{
    return (uint64_t)atomics_load(word(at, sizeof *at, order, __builtin_return_address(0)));
}

void __tsan_atomic64_store(volatile uint64_t *at, uint64_t value, int order)
{
    atomics_store(word(at, sizeof *at, order, __builtin_return_address(0)), value);
}

uint64_t __tsan_atomic64_exchange(volatile uint64_t *at, uint64_t value, int order)
{
    return (uint64_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, replaced);
}

uint64_t __tsan_atomic64_fetch_add(volatile uint64_t *at, uint64_t value, int order)
{
    return (uint64_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, sum);
}

uint64_t __tsan_atomic64_fetch_sub(volatile uint64_t *at, uint64_t value, int order)
{
    return (uint64_t)atomics_modify(word(at, sizeof *at, order, __builtin_return_address(0)), value, difference);
}

int __tsan_atomic64_compare_exchange_weak(volatile uint64_t *at, uint64_t *expected, uint64_t value, int order,
                                          int failed)
{
    return atomics_compare(word(at, sizeof *at, order, __builtin_return_address(0)), expected, value, failed);
}

void __tsan_read1(const void *at)
{
    atomics_look(at, 1);
}

void __tsan_write1(const void *at)
{
    atomics_change(at, 1);
}

void __tsan_read2(const void *at)
{
    atomics_look(at, 2);
}

void __tsan_write2(const void *at)
{
    atomics_change(at, 2);
}

void __tsan_read4(const void *at)
{
    atomics_look(at, 4);
}

void __tsan_write4(const void *at)
{
    atomics_change(at, 4);
}

void __tsan_read8(const void *at)
{
    atomics_look(at, 8);
}

void __tsan_write8(const void *at)
{
    atomics_change(at, 8);
}

void __tsan_read16(const void *at)
{
    atomics_look(at, 16);
}

void __tsan_write16(const void *at)
{
    atomics_change(at, 16);
}

void __tsan_read_range(const void *at, size_t size)
{
    atomics_look(at, size);
}

void __tsan_write_range(const void *at, size_t size)
{
    atomics_change(at, size);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(const void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void)
{
}
