/* SPDX-License-Identifier: MIT
 *
 * co: the census of stacks, and the dump of coroutines.
 */
#include "co/census.h"

#include "base/clock.h"
#include "base/log.h"

enum { FIRST = 4, EVERY = 4096 }; /* the first few of an entry function are counted, and one in so many */

static struct fy_census *entry_of(struct fy_cos *cos, void (*fn)(void *))
{
    size_t start = ((uintptr_t)fn >> 4) % FY_CENSUS;
    for (size_t i = 0; i < FY_CENSUS; i++) {
        struct fy_census *entry = &cos->census[(start + i) % FY_CENSUS];
        if (entry->fn == fn || !entry->fn)
            return entry;
    }
    return NULL;
}

void fy_census_begin(struct fy_co *co)
{
    struct fy_census *entry = entry_of(co->loop->cos, co->fn);
    co->sampled = false;
    if (!entry)
        return; /* more entry functions than the table has room for: these are not counted */
    entry->fn = co->fn;
    entry->name = co->name;
    co->sampled = entry->spawned < FIRST || entry->spawned % EVERY == 0;
    entry->spawned++;
    if (co->sampled)
        fy_stack_forget(co->stack);
}

void fy_census_end(struct fy_co *co)
{
    struct fy_census *entry = co->sampled ? entry_of(co->loop->cos, co->fn) : NULL;
    if (!entry)
        return;
    size_t touched = fy_stack_touched(co->stack);
    if (touched > entry->deepest)
        entry->deepest = touched;
}

const char *fy_co_name(const struct fy_co *co, char *buf, size_t cap)
{
    if (co->name)
        return co->name;
    snprintf(buf, cap, "%p", (void *)(uintptr_t)co->fn);
    return buf;
}

static void dump_co(const struct fy_co *co, uint64_t now, FILE *to)
{
    static const char *const states[] = {"free", "ready", "running", "parked"};
    char name[64];
    fprintf(to, "  coroutine %s %s", fy_co_name(co, name, sizeof name), states[co->state]);
    if (co->state == FY_CO_PARKED) {
        fprintf(to, " in %s", co->why);
        if (co->what)
            fprintf(to, " on %p", co->what);
        fprintf(to, " for %.3f s", (double)(now - co->since) / (double)FY_SECOND);
    }
    if (co->stack)
        fprintf(to, ", stack %zu of %zu", fy_stack_touched(co->stack), fy_stack_size(co->stack));
    fprintf(to, "%s\n", atomic_load(&co->cancelled) ? ", cancelled, and still here" : "");
}

void fy_census_dump(const struct fy_cos *cos, FILE *to)
{
    for (size_t i = 0; i < FY_CENSUS; i++) {
        const struct fy_census *entry = &cos->census[i];
        if (!entry->fn)
            continue;
        const struct fy_co like = {.fn = entry->fn, .name = entry->name};
        char name[64];
        fprintf(to, "  entry %s: %llu spawned, deepest stack %zu\n", fy_co_name(&like, name, sizeof name),
                (unsigned long long)entry->spawned, entry->deepest);
    }
}

void fy_cos_report(ferry_loop *loop)
{
    for (struct fy_list *link = loop->cos->all.next; link != &loop->cos->all; link = link->next) {
        const struct fy_co *co = FY_CONTAINER(link, struct fy_co, link);
        char name[64];
        fy_log(FERRY_LOG_ERROR, "coroutine %s was cancelled and does not end; it is in %s",
               fy_co_name(co, name, sizeof name), co->why ? co->why : "no call");
    }
}

void fy_cos_dump(ferry_loop *loop, FILE *to)
{
    uint64_t now = fy_now_ns();
    for (struct fy_list *link = loop->cos->all.next; link != &loop->cos->all; link = link->next)
        dump_co(FY_CONTAINER(link, struct fy_co, link), now, to);
    fy_census_dump(loop->cos, to);
}
