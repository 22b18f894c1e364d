/* SPDX-License-Identifier: MIT
 *
 * How much a program has allocated: preloaded (LD_PRELOAD, ld.so(8)), it keeps the bytes in the file that FERRY_HEAP names,
 * for another process to read. What is resident tells less: the allocator keeps pages, by chance, that nothing is in.
 */
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void *allocating(size_t size);
typedef void *clearing(size_t count, size_t size);
typedef void *reallocating(void *block, size_t size);
typedef void freeing(void *block);

static struct {
    allocating *malloc;
    clearing *calloc;
    reallocating *realloc;
    freeing *free;
} real;

static _Atomic int64_t before_main, *bytes = &before_main;

static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function)
        err(1, "heap: there is no %s", name);
    return function;
}

/* What is allocated before main() may be allocated before this. */
static void find_real(void)
{
    if (real.free)
        return;
    real.malloc = (allocating *)find("malloc");
    real.calloc = (clearing *)find("calloc");
    real.realloc = (reallocating *)find("realloc");
    real.free = (freeing *)find("free");
}

__attribute__((constructor)) static void show(void)
{
    const char *path = getenv("FERRY_HEAP");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *shown = MAP_FAILED;
    if (fd >= 0)
        shown = mmap(NULL, sizeof *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shown == MAP_FAILED)
        err(1, "heap: FERRY_HEAP");
    (void)close(fd);
    bytes = shown;
    *bytes = before_main;
}

static void *counted(void *block)
{
    *bytes += (int64_t)malloc_usable_size(block);
    return block;
}

void *malloc(size_t size)
{
    find_real();
    return counted(real.malloc(size));
}

void *calloc(size_t nmemb, size_t size)
{
    find_real();
    return counted(real.calloc(nmemb, size));
}

void *realloc(void *ptr, size_t size)
{
    find_real();
    size_t old = malloc_usable_size(ptr);
    void *new = real.realloc(ptr, size);
    if (new || size == 0)
        *bytes -= (int64_t)old;
    return counted(new);
}

void free(void *ptr)
{
    find_real();
    *bytes -= (int64_t)malloc_usable_size(ptr);
    real.free(ptr);
}
