/* SPDX-License-Identifier: MIT
 *
 * load: connections that have said one thing, got it back, and say no more. The unit is a connection, and what is measured
 * is by how much the server's resident memory has grown with them; what it had after a first one is not counted.
 */
#include "bench.h"
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In KiB. smaps_rollup counts pages; statm is rounded by what each processor has not yet reported. */
static long resident(pid_t pid)
{
    char path[64], line[128];
    long size = -1;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *in = fopen(path, "r");
    while (in && size < 0 && fgets(line, sizeof line, in)) {
        if (strncmp(line, "Rss:", 4) == 0)
            size = strtol(line + 4, NULL, 10);
    }
    if (size < 0)
        bench_die(path);
    fclose(in);
    return size;
}

static void greet_all(load *l, long count)
{
    for (long i = count - 1; i >= 0 && i >= count - 2000; i--)
        load_exchange(l, i + 1);
}

void load_idle(load *l)
{
    long all = l->conns;
    l->conns = 1;
    load_open(l, load_exchange);
    long before = resident(l->pid);
    int first = l->fds[0];
    l->conns = all;
    load_open(l, greet_all);
    load_settle(l);
    printf("{\"units\": %ld, \"bytes\": %ld}\n", all, (resident(l->pid) - before) * 1024);
    load_close(l);
    l->conns = 1;
    l->fds[0] = first;
    load_close(l);
}
