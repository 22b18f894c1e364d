/* SPDX-License-Identifier: MIT
 *
 * Faults: memory and threads, which are counted, too, so that what is left behind is seen without a tool.
 */
#include "calls.h"
#include "fault.h"

#include <errno.h>
#include <stdlib.h>

static atomic_long blocks, mapped, threads;

struct fault_held fault_held(void)
{
    return (struct fault_held){
        .blocks = atomic_load(&blocks), .mapped = atomic_load(&mapped), .threads = atomic_load(&threads)};
}

static void *counted(void *block)
{
    if (block != NULL)
        atomic_fetch_add(&blocks, 1);
    return block;
}

void *fault_malloc(size_t size)
{
    return fault_refuses(FAULT_MALLOC) ? NULL : counted(malloc(size));
}

void *fault_calloc(size_t count, size_t size)
{
    return fault_refuses(FAULT_CALLOC) ? NULL : counted(calloc(count, size));
}

void *fault_realloc(void *old, size_t size)
{
    if (fault_refuses(FAULT_REALLOC))
        return NULL;
    return old == NULL ? counted(malloc(size)) : realloc(old, size);
}

void fault_free(void *block)
{
    if (block != NULL)
        atomic_fetch_sub(&blocks, 1);
    free(block);
}

/* NOLINTNEXTLINE(readability-function-size): its parameters are mmap(2)'s */
void *fault_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fault_refuses(FAULT_MMAP))
        return MAP_FAILED;
    void *base = mmap(at, bytes, protection, flags, fd, offset);
    if (base != MAP_FAILED) {
        atomic_fetch_add(&mapped, (long)bytes);
        fault_ring_mapped(fd, base, offset);
    }
    return base;
}

int fault_munmap(void *base, size_t bytes)
{
    atomic_fetch_sub(&mapped, (long)bytes);
    return munmap(base, bytes);
}

int fault_mprotect(void *base, size_t bytes, int protection)
{
    return fault_refuses(FAULT_MPROTECT) ? -1 : mprotect(base, bytes, protection);
}

int fault_madvise(void *base, size_t bytes, int advice)
{
    return fault_refuses(FAULT_MADVISE) ? -1 : madvise(base, bytes, advice);
}

int fault_mincore(void *base, size_t bytes, unsigned char *in_memory)
{
    return fault_refuses(FAULT_MINCORE) ? -1 : mincore(base, bytes, in_memory);
}

/* A thread is counted until what it runs has returned; whoever joins it comes after that. */
struct begun {
    void *(*run)(void *);
    void *arg;
};

static void *run_counted(void *arg)
{
    struct begun begun = *(struct begun *)arg;
    free(arg);
    void *result = begun.run(begun.arg);
    atomic_fetch_sub(&threads, 1);
    return result;
}

int fault_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg)
{
    if (fault_refuses(FAULT_PTHREAD_CREATE))
        return errno;
    struct begun *begun = malloc(sizeof *begun);
    if (begun == NULL)
        return EAGAIN;
    *begun = (struct begun){run, arg};
    atomic_fetch_add(&threads, 1);
    int error = pthread_create(thread, attributes, run_counted, begun);
    if (error != 0) {
        atomic_fetch_sub(&threads, 1);
        free(begun);
    }
    return error;
}
