/* SPDX-License-Identifier: MIT
 *
 * Latencies, counted: a histogram of nanoseconds of a fixed size, whatever is put in. Each power of two is divided into
 * 64 equal steps, so a percentile is at most a 64th above the truth, from nanoseconds to a quarter of an hour.
 *
 * It is filled with zeros to begin with. No locks: one a thread or connection, merged for the report.
 */
#ifndef LATENCY_H
#define LATENCY_H

#include <stddef.h>
#include <stdint.h>

enum {
    LATENCY_STEP_BITS = 6,
    LATENCY_STEPS = 1 << LATENCY_STEP_BITS,
    LATENCY_OCTAVES = 40 - LATENCY_STEP_BITS, /* beyond 2^40 ns all is one bucket: the last */
    LATENCY_BUCKETS = (LATENCY_OCTAVES + 1) * LATENCY_STEPS,
    LATENCY_LINE_MAX = 160
};

struct latency {
    uint64_t count, max_ns;
    uint64_t buckets[LATENCY_BUCKETS];
};

/* CLOCK_MONOTONIC now, for the two ends of what is measured. */
uint64_t latency_now(void);

void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);

/* So many nanoseconds were enough for `percent` of all that was added; 0 when nothing was. */
uint64_t latency_percentile(const struct latency *latency, double percent);

/* The report, without a newline, into `line` of at least LATENCY_LINE_MAX bytes; returns its length:
 * "1000 in all, p50 31.2 us, p99 80.1 us, p99.9 211.0 us, max 1302.5 us" */
int latency_format(const struct latency *latency, char *line, size_t cap);

#endif
