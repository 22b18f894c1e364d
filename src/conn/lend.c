/* SPDX-License-Identifier: MIT
 *
 * conn: bytes that are lent to the kernel, which sends them from where they lie (fy_poll_lend). A segment that has left the
 * queue waits for its last loan before it is let go of. A loan holds its connection, which may close meanwhile.
 */
#include "conn/conn.h"
#include "sys/sock.h"

#include <stdlib.h>

enum { LOAN = 64 * 1024 }; /* bytes; from here on sending them from where they lie pays, if it pays at all */

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

bool fy_can_lend(const ferry_conn *c, const struct fy_segment *segment)
{
    return segment->kind == FY_MEMORY && segment->memory.release && segment->left >= LOAN && !c->out.copies &&
           fy_loop_here(c->loop) && c->loop->poll->backend->lend;
}

/* To a peer on this machine the kernel copies in any case, and lending would cost more. */
static bool gains_by_lending(ferry_conn *c)
{
    struct fy_outbox *out = &c->out;
    if (!out->asked) {
        out->asked = true;
        fy_writer_step_out(c);
        bool local = fy_sock_is_local(c->source.fd);
        fy_lock(&out->lock);
        out->copies = local;
    }
    return !out->copies && !out->dead;
}

static bool lend(ferry_conn *c, struct fy_segment *segment, uint32_t len)
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
    segment->memory.lent = len;
    segment->memory.loans++;
    c->loop->counters.lent++;
    return true;
}

bool fy_lend(ferry_conn *c, uint64_t limit)
{
    struct fy_outbox *out = &c->out;
    struct fy_segment *first = out->first;
    if (limit == 0 || !fy_can_lend(c, first) || !gains_by_lending(c))
        return false;
    uint64_t len = first->left < limit ? first->left : limit;
    out->copies = !lend(c, first, len < FY_CALL_MOST ? (uint32_t)len : FY_CALL_MOST);
    out->retry = false;
    return !out->copies;
}

uint32_t fy_lend_answered(struct fy_segment *first)
{
    if (!first || first->kind != FY_MEMORY)
        return 0;
    uint32_t lent = first->memory.lent;
    first->memory.lent = 0;
    return lent;
}
