/* SPDX-License-Identifier: MIT
 *
 * The census of census.h. Memory is looked at when the first of the most leaves: until then it was still growing.
 */
#include "census.h"

#include <stdio.h>
#include <unistd.h>

void census_init(struct census *census)
{
    *census = (struct census){.lock = PTHREAD_MUTEX_INITIALIZER};
}

/* The second number in /proc/self/statm, in pages; see proc(5). */
static size_t measure(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

void census_enter(struct census *census)
{
    pthread_mutex_lock(&census->lock);
    census->total++;
    if (++census->now > census->most)
        census->most = census->now;
    if (census->total == 1)
        census->alone = measure();
    pthread_mutex_unlock(&census->lock);
}

void census_leave(struct census *census)
{
    pthread_mutex_lock(&census->lock);
    if (census->now == census->most)
        census->crowded = measure();
    census->now--;
    pthread_mutex_unlock(&census->lock);
}

void census_print(const struct census *census)
{
    printf("%lu connections, %lu at most at a time", census->total, census->most);
    if (census->most > 1 && census->crowded > census->alone)
        printf(": %zu bytes of memory each", (census->crowded - census->alone) / (census->most - 1));
    putchar('\n');
}
