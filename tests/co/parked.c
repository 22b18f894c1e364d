/* SPDX-License-Identifier: MIT
 *
 * Reading the dump.
 */
#include "parked.h"

#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void dump_here(void *to)
{
    ferry_loop_dump(ferry_loop_current(), to);
}

char *dump_of(struct host *host, unsigned index)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    host_call(host, index, dump_here, to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static bool is_line_of(const char *line, const char *name, const char *call)
{
    char beginning[80];
    char place[80];
    (void)snprintf(beginning, sizeof beginning, "  coroutine %s ", name != NULL ? name : "");
    (void)snprintf(place, sizeof place, " parked in %s", call != NULL ? call : "");
    const char *found = strstr(line, place);
    if (strncmp(line, "  coroutine ", 12) != 0 || found == NULL)
        return false;
    if (name != NULL && strncmp(line, beginning, strlen(beginning)) != 0)
        return false;
    char after = found[strlen(place)];
    return call == NULL || after == ' ' || after == ',';
}

size_t parked(struct host *host, unsigned index, const char *name, const char *call)
{
    size_t many = 0;
    char *text = dump_of(host, index);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
        many += is_line_of(line, name, call);
    free(text);
    return many;
}

struct wanted {
    struct host *host;
    const char *name, *call;
    size_t many;
};

static bool are_there(void *arg)
{
    const struct wanted *wanted = arg;
    size_t many = 0;
    for (unsigned i = 0; i < ferry_pool_size(wanted->host->pool); i++)
        many += parked(wanted->host, i, wanted->name, wanted->call);
    return many >= wanted->many;
}

void wait_parked_many(struct host *host, const char *name, const char *call, size_t many)
{
    struct wanted wanted = {host, name, call, many};
    wait_until(are_there, &wanted);
}

void wait_parked(struct host *host, const char *name, const char *call)
{
    wait_parked_many(host, name, call, 1);
}

ferry_co *start(struct host *host, unsigned index, const char *name, void (*fn)(void *), void *arg)
{
    const ferry_spawn_options options = {.name = name};
    ferry_co *co = ferry_spawn_as(ferry_pool_loop(host->pool, index), fn, arg, &options);
    assert_non_null(co);
    return co;
}

void run_through(struct host *host, unsigned index, void (*fn)(void *), void *arg)
{
    assert_int_equal(ferry_join(start(host, index, NULL, fn, arg)), 0);
}

unsigned loop_index(struct host *host, const ferry_conn *conn)
{
    unsigned index = 0;
    while (ferry_pool_loop(host->pool, index) != ferry_conn_loop(conn))
        index++;
    return index;
}

void host_bare(struct host *host, unsigned threads)
{
    host_init(host, NULL);
    host_run(host, NULL, &(ferry_pool_options){.threads = threads});
}
