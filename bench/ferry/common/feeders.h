/* SPDX-License-Identifier: MIT
 *
 * bench: plain threads that send messages of 64 bytes on one connection as fast as it goes, and wait while more than a
 * MiB of them is pending.
 */
#ifndef BENCH_FEEDERS_H
#define BENCH_FEEDERS_H

#include <ferry/ferry.h>

typedef struct feeders feeders;

/* Ends the program if it cannot. */
feeders *feeders_start(ferry_conn *conn, int count);
void feeders_stop(feeders *all);

#endif
