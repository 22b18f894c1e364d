/* SPDX-License-Identifier: MIT
 *
 * The histogram of latency.h. A bucket's index is a small floating-point number: the position of the highest bit, and the
 * LATENCY_STEP_BITS bits after it.
 */
#include "latency.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

uint64_t latency_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Small numbers have a bucket each; from LATENCY_STEPS on, an octave has as many buckets as all of those. */
static unsigned find_bucket(uint64_t ns)
{
    if (ns < LATENCY_STEPS)
        return (unsigned)ns;
    unsigned octave = 63 - (unsigned)__builtin_clzll(ns) - LATENCY_STEP_BITS;
    if (octave >= LATENCY_OCTAVES)
        return LATENCY_BUCKETS - 1;
    return octave * LATENCY_STEPS + (unsigned)(ns >> octave);
}

/* The largest number of a bucket. */
static uint64_t find_limit(unsigned bucket)
{
    if (bucket < LATENCY_STEPS)
        return bucket;
    unsigned octave = bucket / LATENCY_STEPS - 1;
    uint64_t step = bucket % LATENCY_STEPS + LATENCY_STEPS;
    return ((step + 1) << octave) - 1;
}

void latency_add(struct latency *latency, uint64_t ns)
{
    latency->count++;
    latency->buckets[find_bucket(ns)]++;
    if (ns > latency->max_ns)
        latency->max_ns = ns;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    into->count += from->count;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

uint64_t latency_percentile(const struct latency *latency, double percent)
{
    double wanted = (double)latency->count * percent / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
        seen += latency->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return find_limit(i) < latency->max_ns ? find_limit(i) : latency->max_ns;
    }
    return latency->max_ns;
}

static double find_us(const struct latency *latency, double percent)
{
    return (double)latency_percentile(latency, percent) / 1000;
}

int latency_format(const struct latency *latency, char *line, size_t cap)
{
    return snprintf(line, cap, "%" PRIu64 " in all, p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us",
                    latency->count, find_us(latency, 50), find_us(latency, 99), find_us(latency, 99.9),
                    find_us(latency, 100));
}
