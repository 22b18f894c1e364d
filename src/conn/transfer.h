/* SPDX-License-Identifier: MIT
 *
 * conn: a watched file on its way: progress, rate, cancelling, verdict.
 */
#ifndef FY_CONN_TRANSFER_H
#define FY_CONN_TRANSFER_H

#include "loop/timer.h"

#include <ferry/conn.h>
#include <stdatomic.h>

struct fy_segment;

struct ferry_transfer {
    atomic_uint refs;           /* the user's handle, and the segment */
    ferry_conn *conn;           /* a reference */
    struct fy_segment *segment; /* NULL when it has left the queue; under the outbox's lock */
    ferry_transfer_options options;
    atomic_uint_fast64_t sent;

    /* the loop's thread */
    struct fy_timer timer; /* until the rate allows more */
    uint64_t started;      /* nanoseconds; 0 = not yet */
    uint64_t told;         /* the turn in which progress was told last, */
    uint64_t told_sent;    /* and what had been sent then */
};

/* The writer: `n` more bytes have left. */
void fy_transfer_advance(ferry_transfer *transfer, uint64_t n);

/* The writer, on the loop: how many bytes the rate allows now, at most `most`. 0: not yet; the outbox will be woken. */
uint64_t fy_transfer_allowance(ferry_transfer *transfer, uint64_t most);

/* The loop: whether progress is to be told now; at most once a turn. */
bool fy_transfer_tells(ferry_transfer *transfer);

/* The loop: it has left the queue. Tells the verdict, and drops the segment's reference. */
void fy_transfer_finish(ferry_transfer *transfer, int verdict);

#endif
