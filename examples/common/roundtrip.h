/* SPDX-License-Identifier: MIT
 *
 * The sums of roundtrip_client. If both ways take equally long, the server has answered in the middle of the round trip:
 * what its time differs from that is the difference of the clocks. It is wrong by half the round trip at most, so the
 * fastest one counts.
 */
#ifndef ROUNDTRIP_H
#define ROUNDTRIP_H

#include "client.h"
#include "clock_message.h"
#include "latency.h"

struct roundtrip {
    struct client client;
    unsigned long count, interval_ms; /* --count, 0 = for ever; --interval */
    int64_t asked_us;                 /* when, by the clock that is compared */
    uint64_t asked_ns;                /* the same by one that nobody sets; 0 = nothing is asked */
    uint64_t best_ns;                 /* the fastest round trip, */
    int64_t best_error_us;            /* and how far the server's clock is ahead by it */
    struct latency trips;
};

/* Reads the command line. */
void roundtrip_init(struct roundtrip *trip, int argc, char **argv);

/* Makes the next question. */
void roundtrip_ask(struct roundtrip *trip, unsigned char *message);

/* Takes the answer, and prints it. False when that was the last, or was no answer: the connection is to be closed. */
bool roundtrip_take(struct roundtrip *trip, const unsigned char *message);

/* The server has sent all it will. */
void roundtrip_end(struct roundtrip *trip);

/* The connection has closed, for that reason, or was never open. */
void roundtrip_break(struct roundtrip *trip, int reason);

/* Runs to the end, prints the sums. Returns the exit status. */
int roundtrip_run(struct roundtrip *trip);

#endif
