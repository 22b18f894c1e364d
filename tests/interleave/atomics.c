/* SPDX-License-Identifier: MIT
 *
 * Accesses of memory. Atomic ones are steps of a schedule, and what they order is kept in vector clocks: a plain access of the
 * arena's that nothing orders behind another thread's is a race.
 */
#include "atomics.h"

#include "explore.h"

#include <string.h>

enum { OBJECTS = 1024, LATE = 8, QUIET = 16, MEMORY = 1 << 20 };

struct clock {
    uint32_t at[THREADS]; /* what is known of each thread's steps */
};

/* An atomic word, or another object that orders: what a reader of it gets to know. */
struct object {
    const void *address;
    struct clock clock;
};

struct store {
    void *address;
    size_t size;
    uint64_t value;
    struct clock clock; /* zeros unless it releases */
};

struct buffer {
    struct store stores[LATE];
    unsigned count;
};

/* Who touched a byte last, and when. */
struct byte {
    uint32_t read[THREADS], written;
    uint8_t writer;
    bool gone;
};

static struct clock clocks[THREADS];
static struct buffer buffers[THREADS];
static struct object objects[OBJECTS];
static struct byte bytes[MEMORY];
static struct {
    const char *at;
    size_t size;
} quiet[QUIET];
static unsigned quiets;
static char *first, *last; /* of the arena, what is in use */
static unsigned count;
static bool buffered;

void atomics_begin(unsigned threads, bool late)
{
    count = threads;
    buffered = late;
    memset(clocks, 0, sizeof clocks);
    memset(buffers, 0, sizeof buffers);
    memset(objects, 0, sizeof objects);
    if (first)
        memset(bytes, 0, (size_t)(last - first) * sizeof *bytes);
    first = last = NULL;
    quiets = 0;
    for (unsigned i = 0; i < count; i++)
        clocks[i].at[i] = 1;
}

static void join(struct clock *to, const struct clock *from)
{
    for (unsigned i = 0; i < count; i++)
        if (to->at[i] < from->at[i])
            to->at[i] = from->at[i];
}

static struct clock *clock_of(const void *address)
{
    size_t place = (uintptr_t)address / 4 % OBJECTS;
    while (objects[place].address && objects[place].address != address)
        place = (place + 1) % OBJECTS;
    objects[place].address = address;
    return &objects[place].clock;
}

static struct clock *own(void)
{
    return &clocks[explore_self()];
}

static void tick(void)
{
    own()->at[explore_self()]++;
}

void atomics_acquire(const void *object)
{
    join(own(), clock_of(object));
}

void atomics_release(const void *object)
{
    join(clock_of(object), own());
    tick();
}

/* Plain accesses. */

static struct byte *byte_at(const void *address)
{
    const char *at = address;
    return explore_running() && first && at >= first && at < last ? &bytes[at - first] : NULL;
}

void atomics_allocated(char *memory, size_t size)
{
    if (!first)
        first = memory;
    last = memory + size;
}

void atomics_look(const void *address, size_t size)
{
    for (struct byte *b = byte_at(address), *end = b + size; b && b < end; b++) {
        if (b->gone)
            explore_fail("%p was freed, and is read", address);
        if (b->written > own()->at[b->writer])
            explore_fail("%p is read, and nothing orders thread %u's store before it", (void *)(first + (b - bytes)),
                         b->writer);
        b->read[explore_self()] = own()->at[explore_self()];
    }
}

void atomics_change(const void *address, size_t size)
{
    for (struct byte *b = byte_at(address), *end = b + size; b && b < end; b++) {
        if (b->gone)
            explore_fail("%p was freed, and is changed", address);
        if (b->written > own()->at[b->writer])
            explore_fail("%p is changed, and nothing orders thread %u's store before it", (void *)(first + (b - bytes)),
                         b->writer);
        for (unsigned i = 0; i < count; i++)
            if (b->read[i] > own()->at[i])
                explore_fail("%p is changed, and nothing orders thread %u's load before it",
                             (void *)(first + (b - bytes)), i);
        b->writer = (uint8_t)explore_self();
        b->written = own()->at[explore_self()];
    }
}

void atomics_freed(char *memory, size_t size)
{
    atomics_change(memory, size);
    for (struct byte *b = byte_at(memory), *end = b + size; b && b < end; b++)
        b->gone = true;
}

/* Atomic accesses. */

static uint64_t get(const void *at, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, at, size);
    return value;
}

void atomics_quiet(const void *address, size_t size)
{
    quiet[quiets].at = address;
    quiet[quiets++].size = size;
}

static bool is_quiet(struct word w)
{
    const char *at = w.at;
    for (unsigned i = 0; i < quiets; i++)
        if (w.order <= __ATOMIC_RELEASE && at >= quiet[i].at && at < quiet[i].at + quiet[i].size)
            return true;
    return false;
}

static void begin(struct word w, bool changes, bool drained)
{
    if (!is_quiet(w))
        explore_access(w.at, changes, drained, w.place);
    const struct byte *b = byte_at(w.at);
    if (b && b->gone)
        explore_fail("%p was freed, and is used", w.at);
}

bool atomics_drained(unsigned thread)
{
    return buffers[thread].count == 0;
}

const void *atomics_waits(unsigned thread)
{
    return buffers[thread].count ? buffers[thread].stores[0].address : NULL;
}

void atomics_flush(unsigned thread)
{
    struct buffer *b = &buffers[thread];
    memcpy(b->stores[0].address, &b->stores[0].value, b->stores[0].size);
    *clock_of(b->stores[0].address) = b->stores[0].clock;
    memmove(b->stores, b->stores + 1, --b->count * sizeof *b->stores);
}

uint64_t atomics_load(struct word w)
{
    begin(w, false, false);
    const struct buffer *b = &buffers[explore_self()];
    for (unsigned i = b->count; i-- > 0;)
        if (b->stores[i].address == w.at)
            return b->stores[i].value;
    if (w.order != __ATOMIC_RELAXED)
        atomics_acquire(w.at);
    return get(w.at, w.size);
}

static bool releases(int order)
{
    return order >= __ATOMIC_RELEASE;
}

static bool acquires(int order)
{
    return order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order >= __ATOMIC_ACQ_REL;
}

void atomics_store(struct word w, uint64_t value)
{
    struct store s = {w.at, w.size, value, {{0}}};
    struct buffer *b = &buffers[explore_self()];
    bool late = buffered && explore_running() && w.order != __ATOMIC_SEQ_CST && b->count < LATE;
    if (is_quiet(w)) {
        memcpy(w.at, &value, w.size);
        return;
    }
    if (!late)
        begin(w, true, true);
    if (releases(w.order)) {
        s.clock = *own();
        tick();
    }
    b->stores[b->count++] = s;
    if (!late)
        atomics_flush(explore_self());
}

/* Reads, and writes what `next` makes of it. */
uint64_t atomics_modify(struct word w, uint64_t operand, uint64_t (*next)(uint64_t, uint64_t))
{
    begin(w, true, true);
    uint64_t before = get(w.at, w.size), after = next(before, operand);
    memcpy(w.at, &after, w.size);
    if (acquires(w.order))
        atomics_acquire(w.at);
    if (releases(w.order))
        atomics_release(w.at);
    return before;
}

/* A weak one does not fail for no reason here. */
int atomics_compare(struct word w, void *expected, uint64_t value, int failed_order)
{
    begin(w, true, true);
    uint64_t before = get(w.at, w.size);
    bool same = before == get(expected, w.size);
    int order = same ? w.order : failed_order;
    if (acquires(order))
        atomics_acquire(w.at);
    if (same) {
        memcpy(w.at, &value, w.size);
        if (releases(order))
            atomics_release(w.at);
    } else {
        memcpy(expected, &before, w.size);
    }
    return same;
}
