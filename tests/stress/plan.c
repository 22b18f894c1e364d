/* SPDX-License-Identifier: MIT
 *
 * The chances: most sessions are small and polite; a few of each kind are big, slow, stalled or rude.
 */
#include "plan.h"

#include "pattern.h"

#include <stdio.h>

enum { KIB = 1024, MIB = 1024 * KIB, LONG_MS = 60 * 1000 };

static bool one_in(uint64_t *series, size_t n)
{
    return random_below(series, n) == 0;
}

static uint64_t choose_total(uint64_t *series)
{
    static const size_t limits[] = {1, 1, 100, 1000, 1000, 20 * KIB, 100 * KIB, 500 * KIB, 500 * KIB, 4 * MIB};
    return random_below(series, limits[random_below(series, sizeof limits / sizeof *limits)]);
}

/* Steps may be as small as a byte, but not for a big stream, and pauses are few and short: a session is over within some
 * seconds. */
static void choose_pace(struct plan *plan, uint64_t *series)
{
    static const size_t steps[] = {10, 1000, 16 * KIB, 64 * KIB};
    plan->send_at_once = 1 + (size_t)(plan->total / 1000) + random_below(series, steps[random_below(series, 4)]);
    plan->receive_at_once = 16 * KIB + random_below(series, 48 * KIB);
    if (one_in(series, 8))
        plan->send_pause_ms = (unsigned)random_below(series, 3);
    if (one_in(series, 8))
        plan->receive_pause_ms = 1 + (unsigned)random_below(series, 4);
}

static void choose_stall(struct plan *plan, uint64_t *series)
{
    if (!one_in(series, 4))
        return;
    plan->stall_at = one_in(series, 2) ? 0 : random_below(series, MIB);
    plan->stall_ms = 20 + (unsigned)random_below(series, 400);
}

static void choose_end(struct plan *plan, uint64_t *series)
{
    if (!one_in(series, 5))
        return;
    plan->manner = one_in(series, 3) ? LEAVE : RESET;
    plan->end_after_ms = LONG_MS;
    plan->end_at = UINT64_MAX;
    if (one_in(series, 2)) {
        plan->end_at = random_below(series, one_in(series, 2) ? 100 : MIB);
        return;
    }
    plan->end_after_ms = (unsigned)random_below(series, 300);
    if (one_in(series, 2)) {
        plan->stall_at = random_below(series, 100); /* it ends with much waiting for it */
        plan->stall_ms = LONG_MS;
    }
}

/* A receive buffer below a segment of the loopback device, 64 KiB, makes TCP wait for its timers. */
static void choose_buffers(struct plan *plan, uint64_t *series)
{
    if (one_in(series, 4))
        plan->send_buffer = (int)(4 * KIB + random_below(series, 60 * KIB));
    if (one_in(series, 4))
        plan->receive_buffer = (int)(128 * KIB + random_below(series, 128 * KIB));
}

static struct plan make(uint64_t seed, uint64_t session, enum side side)
{
    uint64_t series = seed * 1000003 + session * 2 + (side == TARGET);
    series = random_next(&series);
    struct plan plan = {.stream = series, .total = choose_total(&series)};
    plan.answers = side == TARGET && one_in(&series, 5);
    choose_pace(&plan, &series);
    choose_stall(&plan, &series);
    choose_end(&plan, &series);
    choose_buffers(&plan, &series);
    return plan;
}

/* Some whose other side will reset do not read again before that: it is told at once, or they are stuck. */
struct plan plan_make(uint64_t seed, uint64_t session, enum side side)
{
    struct plan plan = make(seed, session, side);
    struct plan other = make(seed, session, side == CLIENT ? TARGET : CLIENT);
    if (plan.manner == FINISH && other.manner == RESET && other.end_at == UINT64_MAX && session % 2 == 0) {
        plan.stall_at = other.total / 2;
        plan.stall_ms = UINT32_MAX;
        plan.answers = true; /* so the other cannot be done before its reset */
    }
    return plan;
}

void plan_print(const struct plan *plan)
{
    static const char *const manners[] = {"finishes", "resets", "leaves"};
    (void)fprintf(stderr, "  sends %ju bytes%s, %zu at once, every %u ms; receives %zu at once, every %u ms;",
                  (uintmax_t)plan->total, plan->answers ? " as an answer" : "", plan->send_at_once, plan->send_pause_ms,
                  plan->receive_at_once, plan->receive_pause_ms);
    (void)fprintf(stderr, " stalls at %ju for %u ms; buffers %d, %d; %s", (uintmax_t)plan->stall_at, plan->stall_ms,
                  plan->send_buffer, plan->receive_buffer, manners[plan->manner]);
    if (plan->manner != FINISH)
        (void)fprintf(stderr, " at %ju bytes or after %u ms", (uintmax_t)plan->end_at, plan->end_after_ms);
    (void)fprintf(stderr, "\n");
}
