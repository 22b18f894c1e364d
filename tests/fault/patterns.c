/* SPDX-License-Identifier: MIT
 *
 * Faults that nobody may notice, for programs that know nothing of faults: FERRY_FAULT in the environment names a pattern of
 * them.
 *
 *   eintr     every other call that may be interrupted is
 *   eagain    each third call with a socket would block
 *   short     transfers of one byte, and of any length
 *   waits     waits that return early, with one event, or with one that there is not
 *   SEED      a number: all of these, by chance
 *
 * and, after a colon, the one call that it is for: eintr:splice.
 *
 * With FERRY_FAULT_COUNT, a file, the number of faults is added to that at the end.
 */
#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a kind of call may suffer unnoticed. */
enum { INTERRUPTED = 1, BLOCKED = 2, SHORT = 4, EARLY = 8, SPURIOUS = 16 };

static const unsigned char may[FAULT_CALLS] = {
    [FAULT_ACCEPT4] = INTERRUPTED | BLOCKED,
    [FAULT_BIND] = INTERRUPTED,
    [FAULT_CLOSE] = INTERRUPTED,
    [FAULT_CONNECT] = INTERRUPTED,
    [FAULT_EPOLL_WAIT] = INTERRUPTED | EARLY | SPURIOUS,
    [FAULT_FUTEX_WAIT] = INTERRUPTED | BLOCKED,
    [FAULT_OPEN] = INTERRUPTED,
    [FAULT_PREAD] = INTERRUPTED | SHORT,
    [FAULT_RECV] = INTERRUPTED | BLOCKED | SHORT,
    [FAULT_SEND] = INTERRUPTED | BLOCKED | SHORT,
    [FAULT_SENDFILE] = INTERRUPTED | BLOCKED | SHORT,
    [FAULT_SENDMSG] = INTERRUPTED | BLOCKED | SHORT,
    [FAULT_SPLICE] = INTERRUPTED | BLOCKED | SHORT,
    [FAULT_WRITE] = INTERRUPTED,
    [FAULT_RING_ENTER] = INTERRUPTED | EARLY,
    [FAULT_RING_ACCEPT] = INTERRUPTED | BLOCKED,
    [FAULT_RING_POLL] = INTERRUPTED,
    [FAULT_RING_RECEIVE] = INTERRUPTED | BLOCKED,
    [FAULT_RING_SEND] = BLOCKED | SHORT,
};

static uint64_t seed;
static fault_policy *pattern;
static const char *only; /* NULL = all */

static uint64_t scramble(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static struct fault_blow make(unsigned kind, uint64_t chance)
{
    switch (kind) {
    case INTERRUPTED:
        return (struct fault_blow){.error = EINTR};
    case BLOCKED:
        return (struct fault_blow){.error = EAGAIN};
    case SHORT: /* one byte, or any number of digits */
        return (struct fault_blow){.most = 1 + (chance & 1 ? 0 : (chance >> 8) % (UINT64_C(1) << (chance >> 1) % 17))};
    case EARLY:
        return (struct fault_blow){.early = true};
    case SPURIOUS:
        return (struct fault_blow){.spurious = true};
    default:
        return (struct fault_blow){0};
    }
}

static struct fault_blow interrupt(enum fault_call call, uint64_t n)
{
    return make(n % 2 == 1 ? may[call] & INTERRUPTED : 0, 0);
}

static struct fault_blow block(enum fault_call call, uint64_t n)
{
    return make(n % 3 == 0 ? may[call] & BLOCKED : 0, 0);
}

static struct fault_blow cut(enum fault_call call, uint64_t n)
{
    return make(may[call] & SHORT, scramble(n));
}

static struct fault_blow wait_badly(enum fault_call call, uint64_t n)
{
    unsigned kind = n % 3 == 0 ? EARLY : n % 3 == 1 ? SPURIOUS : 0;
    return make(may[call] & kind, 0);
}

/* A quarter of the calls, each in one of the ways that it may. */
static struct fault_blow anything(enum fault_call call, uint64_t n)
{
    uint64_t chance = scramble(seed ^ scramble((uint64_t)call << 32 ^ n));
    unsigned kind = 1U << (chance >> 4) % 5;
    return make(chance % 4 == 0 ? may[call] & kind : 0, chance >> 8);
}

static fault_policy *named(const char *name)
{
    static const struct {
        const char *name;
        fault_policy *policy;
    } patterns[] = {{"eintr", interrupt}, {"eagain", block}, {"short", cut}, {"waits", wait_badly}};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        if (strcmp(name, patterns[i].name) == 0)
            return patterns[i].policy;
    seed = strtoull(name, NULL, 10);
    return anything;
}

static struct fault_blow ask(enum fault_call call, uint64_t n)
{
    if (only != NULL && strcmp(only, fault_names[call]) != 0)
        return (struct fault_blow){0};
    return pattern(call, n);
}

__attribute__((constructor)) static void begin(void)
{
    char name[64];
    const char *given = getenv("FERRY_FAULT");
    if (given == NULL)
        return;
    only = strchr(given, ':');
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(given, ":"), given);
    only = only != NULL ? only + 1 : NULL;
    pattern = named(name);
    fault_use(ask);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FERRY_FAULT_COUNT");
    FILE *to = path != NULL ? fopen(path, "a") : NULL;
    if (to == NULL)
        return;
    (void)fprintf(to, "%ju\n", (uintmax_t)fault_struck());
    (void)fclose(to);
}
