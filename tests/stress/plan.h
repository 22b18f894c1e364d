/* SPDX-License-Identifier: MIT
 *
 * What one end of a session will do: made by chance, from the seed of the run and the number of the session, so that it
 * can be made again.
 */
#ifndef FERRY_STRESS_PLAN_H
#define FERRY_STRESS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum side { CLIENT, TARGET };

/* FINISH sends all, then FIN, and reads to FIN. The others end it earlier, if they get to that: by a reset, or by close(2),
 * which is one only if there is unread input, or when more comes. */
enum manner { FINISH, RESET, LEAVE };

struct plan {
    uint64_t stream; /* the seed of the bytes that it sends */
    uint64_t total;  /* how many, before FIN */
    bool answers;    /* it sends nothing before it has received FIN */
    size_t send_at_once, receive_at_once;
    unsigned send_pause_ms, receive_pause_ms; /* after each call */
    uint64_t stall_at;                        /* bytes it receives before it does not read for... */
    unsigned stall_ms;                        /* ...so long; 0 = it reads on */
    int send_buffer, receive_buffer;          /* 0 = the kernel's */
    enum manner manner;
    uint64_t end_at;       /* RESET and LEAVE come after so many bytes, both ways together... */
    unsigned end_after_ms; /* ...or when so much time has passed */
};

struct plan plan_make(uint64_t seed, uint64_t session, enum side side);

void plan_print(const struct plan *plan);

#endif
