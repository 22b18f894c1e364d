/* SPDX-License-Identifier: MIT
 *
 * The census of census.h. Memory is looked at when the first of the most leaves: until then it was still growing.
 */
#include "census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void census_init(struct census *census)
{
    *census = (struct census){.lock = PTHREAD_MUTEX_INITIALIZER};
}

/* Bytes resident: the second number in /proc/self/statm, in pages (proc(5)); 0 where there is none. */
static size_t measure(void)
{
    char line[128] = "";
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    const char *second = fgets(line, sizeof line, file) ? strchr(line, ' ') : NULL;
    fclose(file);
    return second ? strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
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
