/* SPDX-License-Identifier: MIT
 *
 * What a sudoku server counts, from all its threads.
 */
#ifndef SUDOKU_STATS_H
#define SUDOKU_STATS_H

#include "latency.h"

#include <pthread.h>

enum { SUDOKU_REPORT_MAX = 512 };

typedef struct sudoku_stats {
    pthread_mutex_t lock;
    uint64_t requests, bad; /* taken on; refused, which ends the connection */
    uint64_t abandoned;     /* not solved, since the client had gone */
    struct latency latency; /* of the answers: since the request was read */
} sudoku_stats;

void sudoku_stats_init(sudoku_stats *stats);
void sudoku_stats_fini(sudoku_stats *stats);

/* Thread: any. */
void sudoku_stats_request(sudoku_stats *stats);
void sudoku_stats_bad(sudoku_stats *stats);
void sudoku_stats_answer(sudoku_stats *stats, uint64_t ns);
void sudoku_stats_abandon(sudoku_stats *stats);

/* Some lines of "name: value"; returns the length. `queued`: of the requests in flight, those no thread has begun with. */
size_t sudoku_stats_report(sudoku_stats *stats, unsigned long queued, char report[SUDOKU_REPORT_MAX]);

#endif
