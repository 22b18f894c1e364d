/* SPDX-License-Identifier: MIT
 *
 * The counters of sudoku_stats.h, under one lock: it is held for nanoseconds, and a puzzle takes microseconds.
 */
#include "sudoku_stats.h"

#include <inttypes.h>
#include <stdio.h>

void sudoku_stats_init(sudoku_stats *stats)
{
    *stats = (sudoku_stats){0};
    pthread_mutex_init(&stats->lock, NULL);
}

void sudoku_stats_fini(sudoku_stats *stats)
{
    pthread_mutex_destroy(&stats->lock);
}

static void count(sudoku_stats *stats, uint64_t *counter)
{
    pthread_mutex_lock(&stats->lock);
    ++*counter;
    pthread_mutex_unlock(&stats->lock);
}

void sudoku_stats_request(sudoku_stats *stats)
{
    count(stats, &stats->requests);
}

void sudoku_stats_bad(sudoku_stats *stats)
{
    count(stats, &stats->bad);
}

void sudoku_stats_abandon(sudoku_stats *stats)
{
    count(stats, &stats->abandoned);
}

void sudoku_stats_answer(sudoku_stats *stats, uint64_t ns)
{
    pthread_mutex_lock(&stats->lock);
    latency_add(&stats->latency, ns);
    pthread_mutex_unlock(&stats->lock);
}

size_t sudoku_stats_report(sudoku_stats *stats, unsigned long queued, char report[SUDOKU_REPORT_MAX])
{
    char latency[LATENCY_LINE_MAX];
    pthread_mutex_lock(&stats->lock);
    uint64_t requests = stats->requests, bad = stats->bad, abandoned = stats->abandoned;
    uint64_t in_flight = requests - abandoned - stats->latency.count;
    latency_format(&stats->latency, latency, sizeof latency);
    pthread_mutex_unlock(&stats->lock);
    return (size_t)snprintf(report, SUDOKU_REPORT_MAX,
                            "requests: %" PRIu64 "\nbad requests: %" PRIu64 "\nabandoned: %" PRIu64
                            "\nin flight: %" PRIu64 "\nqueued: %lu\nlatency: %s\n",
                            requests, bad, abandoned, in_flight, queued, latency);
}
