/* SPDX-License-Identifier: MIT
 *
 * loop: the pipes of a loop.
 */
#include "loop/pipe.h"

#include "sys/sys.h"

#include <stdlib.h>

enum { KEPT = 8 };

static void destroy(struct fy_pipe *pipe)
{
    fy_sys_close(pipe->out);
    fy_sys_close(pipe->in);
    free(pipe);
}

static struct fy_pipe *pop(struct fy_pipes *pipes)
{
    struct fy_pipe *pipe = pipes->idle;
    pipes->idle = pipe->next;
    pipes->count--;
    return pipe;
}

void fy_pipes_use(struct fy_pipes *pipes)
{
    pipes->users++;
}

void fy_pipes_unuse(struct fy_pipes *pipes)
{
    pipes->users--;
    while (pipes->users == 0 && pipes->idle)
        destroy(pop(pipes));
}

struct fy_pipe *fy_pipe_take(struct fy_pipes *pipes)
{
    if (pipes->idle)
        return pop(pipes);
    struct fy_pipe *pipe = malloc(sizeof *pipe);
    int ends[2];
    if (!pipe || fy_sys_pipe(ends, FY_PIPE_BYTES) < 0) {
        free(pipe);
        return NULL;
    }
    pipe->out = ends[0];
    pipe->in = ends[1];
    return pipe;
}

void fy_pipe_give(struct fy_pipes *pipes, struct fy_pipe *pipe, bool empty)
{
    if (!empty || pipes->users == 0 || pipes->count == KEPT) {
        destroy(pipe);
        return;
    }
    pipe->next = pipes->idle;
    pipes->idle = pipe;
    pipes->count++;
}
