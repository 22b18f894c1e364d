/* SPDX-License-Identifier: MIT
 *
 * loop: the pipes that bytes are spliced through (splice(2) has no other way from one socket to another). A pipe is held
 * only while bytes are in it, so a few serve any number of connections; and kept for reuse only while there are users,
 * so an idle server has no descriptor more than it had before.
 */
#ifndef FY_LOOP_PIPE_H
#define FY_LOOP_PIPE_H

#include <stdbool.h>

struct fy_pipe {
    struct fy_pipe *next;
    int out, in; /* where bytes come out, and where they go in */
};

/* Of one loop. Zeros are a fresh one. */
struct fy_pipes {
    struct fy_pipe *idle;
    unsigned count, users;
};

enum { FY_PIPE_BYTES = 1 << 20 }; /* what one is asked to hold; the kernel may say less (pipe(7)) */

void fy_pipes_use(struct fy_pipes *pipes);
void fy_pipes_unuse(struct fy_pipes *pipes);

struct fy_pipe *fy_pipe_take(struct fy_pipes *pipes); /* an empty one; NULL = none can be had */
void fy_pipe_give(struct fy_pipes *pipes, struct fy_pipe *pipe, bool empty);

#endif
