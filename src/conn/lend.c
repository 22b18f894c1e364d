/* SPDX-License-Identifier: MIT
 *
 * conn: bytes that are lent to the kernel, which sends them from where they lie (fy_poll_lend). A segment that has left the
 * queue waits for its last loan before it is let go of. A loan holds its connection, which may close meanwhile.
 */
#include "conn/conn.h"

#include <stdlib.h>

struct loan {
    struct fy_loan base;
    ferry_conn *conn;
    struct fy_segment *segment;
};

static void returned(struct fy_loan *base, bool copied)
{
    struct loan *loan = FY_CONTAINER(base, struct loan, base);
    ferry_conn *c = loan->conn;
    struct fy_segment *segment = loan->segment;
    fy_lock(&c->out.lock);
    c->out.copies |= copied;
    c->loop->counters.lent_copied += copied;
    bool last = --segment->memory.loans == 0 && segment->memory.gone;
    fy_unlock(&c->out.lock);
    if (last)
        fy_queue_discard(c, segment);
    ferry_conn_unref(c);
    free(loan);
}

bool fy_lend(ferry_conn *c, struct fy_segment *segment, size_t len)
{
    struct loan *loan = malloc(sizeof *loan);
    if (!loan)
        return false;
    *loan = (struct loan){.base.over = returned, .conn = c, .segment = segment};
    if (!fy_poll_lend(c->loop->poll, &c->source, segment->memory.at, len, &loan->base)) {
        free(loan);
        return false;
    }
    ferry_conn_ref(c);
    segment->memory.loans++;
    c->loop->counters.lent++;
    return true;
}
