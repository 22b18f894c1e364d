/* SPDX-License-Identifier: MIT
 *
 * Sides: how they open and close, what their end may be, and what must be true when all is over.
 */
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { NEWS_MS = 6 };

struct world world;

static int number(const struct side *side)
{
    return (int)(side - world.sides);
}

struct side *side_of(ferry_conn *conn)
{
    return ferry_conn_context(conn);
}

struct side *other_side(const struct side *side)
{
    for (unsigned i = 0; side->port && i < world.side_count; i++)
        if (world.sides[i].port == side->port && world.sides[i].client != side->client)
            return &world.sides[i];
    return NULL;
}

static unsigned port_of(const struct side *side, const ferry_conn *conn)
{
    char address[64];
    int len = side->client ? ferry_conn_local(conn, address, sizeof address)
                           : ferry_conn_peer(conn, address, sizeof address);
    const char *colon = len > 0 ? strrchr(address, ':') : NULL;
    return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

static void release_context(void *context)
{
    (void)context;
    world.contexts_released++;
}

void side_open(struct side *side, ferry_conn *conn)
{
    if (side->opened++ > 0)
        sim_fail("side %d opened twice", number(side));
    side->conn = ferry_conn_ref(conn);
    side->port = port_of(side, conn);
    sim_note("open", (uint64_t)number(side), side->port);
    world.contexts++;
    ferry_conn_set_context(conn, side, release_context);
    sim_wake(&world.changed);
    if (world.ending)
        side_finish(side);
}

/* Each reason needs its cause. */
static bool is_allowed(const struct side *side, int reason, const struct sim_truth *truth)
{
    const ferry_service *limits = &world.plan.limits;
    switch (reason) {
    case 0:
        return true;
    case -ECONNRESET:
        return truth->reset;
    case -ECONNABORTED:
        return side->aborted;
    case -ETIMEDOUT:
        return world.plan.impatient;
    case -ENOBUFS:
        return limits->max_pending > 0 && limits->overflow == FERRY_OVERFLOW_CLOSE;
    case -EMSGSIZE:
        return limits->max_input > 0;
    case -ENODATA:
        return side->short_file;
    case -ECANCELED:
        return side->gave_up || world.stopping;
    default:
        return false;
    }
}

static void note_end(const struct side *side, int reason)
{
    sim_note("close", (uint64_t)number(side), (uint64_t)-reason);
    if (reason == 0)
        sim_reached(SIM_CLOSED_IN_ORDER);
    else if (reason == -ECONNRESET)
        sim_reached(SIM_CLOSED_BY_RESET);
    else if (reason == -ECONNABORTED)
        sim_reached(SIM_CLOSED_BY_ABORT);
    else if (reason == -ETIMEDOUT)
        sim_reached(SIM_CLOSED_BY_TIME);
    else if (reason == -ENOBUFS)
        sim_reached(SIM_CLOSED_BY_LIMIT);
}

/* A peer that gets on, if slowly, is waited for; what has just come may not have been looked at. */
static void check_patience(const struct side *side, const struct sim_truth *truth)
{
    const ferry_service *limits = &world.plan.limits;
    uint64_t ago = sim_now() - truth->acked_at, linger = limits->linger_ms * (uint64_t)SIM_MS;
    if (limits->idle_timeout_ms == 0 && ago > NEWS_MS * (uint64_t)SIM_MS && ago + NEWS_MS * (uint64_t)SIM_MS < linger)
        sim_fail("side %d: it timed out %llu us after progress", number(side), (unsigned long long)ago / 1000);
}

/* What is said of the end, against what the network knows. */
static void check_end(const struct side *side, int reason)
{
    const ferry_stats *s = &side->stats;
    struct sim_truth truth;
    sim_end_truth(sim_end_find(side->port, side->client), &truth);
    if (!is_allowed(side, reason, &truth))
        sim_fail("side %d: it closed with %d, %s, without a cause", number(side), reason, ferry_strerror(reason));
    if (reason == -ETIMEDOUT)
        check_patience(side, &truth);
    if (s->written != truth.written || s->written + s->unsent != s->queued)
        sim_fail("side %d: of %llu bytes %llu are said to be written, %llu unsent; they were %llu", number(side),
                 (unsigned long long)s->queued, (unsigned long long)s->written, (unsigned long long)s->unsent,
                 (unsigned long long)truth.written);
    if (s->acknowledged > truth.acked || (s->verdict == FERRY_VERDICT_ACKED && truth.acked != truth.written))
        sim_fail("side %d: %llu bytes are said to be acknowledged, verdict %d; they are %llu of %llu", number(side),
                 (unsigned long long)s->acknowledged, (int)s->verdict, (unsigned long long)truth.acked,
                 (unsigned long long)truth.written);
    if (reason == 0 && (s->unsent > 0 || s->verdict != FERRY_VERDICT_ACKED))
        sim_fail("side %d: it closed in order with %llu bytes unsent, verdict %d", number(side),
                 (unsigned long long)s->unsent, (int)s->verdict);
    if (reason == 0 && !side->eof && !side->closing && !side->straight && !world.stopping)
        sim_fail("side %d: it closed in order, and was not told of the end of its input", number(side));
}

void side_close(struct side *side, ferry_conn *conn, int reason)
{
    if (*sim_inside() || ferry_self())
        sim_fail("side %d: on_close inside of a call", number(side));
    if (!side->opened) { /* it could not connect */
        side->failed++;
        sim_note("failed", (uint64_t)number(side), (uint64_t)-reason);
        sim_wake(&world.changed);
        return;
    }
    if (side->closed++ > 0)
        sim_fail("side %d closed twice", number(side));
    if (reason != ferry_conn_error(conn))
        sim_fail("side %d: on_close says %d, ferry_conn_error() %d", number(side), reason, ferry_conn_error(conn));
    note_end(side, reason);
    side->reason = reason;
    ferry_conn_stats(conn, &side->stats);
    check_end(side, reason);
    sim_wake(&world.changed);
}

void side_finish(struct side *side)
{
    if (!side->conn || side->closed)
        return;
    ferry_conn_resume(side->conn);
    if (world.plan.by_shutdown) {
        ferry_shutdown(side->conn);
        return;
    }
    side->closing = true;
    ferry_close(side->conn);
}

static bool is_settled(const struct side *side)
{
    const struct side *to = other_side(side);
    struct sim_truth truth;
    if (side->conn && ferry_conn_pending(side->conn) > 0)
        return false;
    if (side->closed || !to || to->closed || to->closing || to->ended || to->aborted)
        return true;
    sim_end_truth(sim_end_find(side->port, side->client), &truth);
    uint64_t arrived = to->straight ? truth.taken : to->seen; /* a coroutine may wait for more than has come */
    return truth.reset || arrived == truth.written;
}

bool world_is_settled(void)
{
    for (unsigned i = 0; i < world.side_count; i++)
        if (!is_settled(&world.sides[i]))
            return false;
    return true;
}

bool world_is_over(void)
{
    for (unsigned i = 0; i < world.side_count; i++) {
        const struct side *s = &world.sides[i];
        if (s->dialling || (s->raw ? !s->ended : s->failed + s->closed < s->dials + !s->client))
            return false;
    }
    return true;
}

static void check_count(const char *what, unsigned done, unsigned expected)
{
    if (done != expected)
        sim_fail("%s: %u of %u", what, done, expected);
}

/* After the close sends are refused, and counted: their number is that of the very end. */
static void check_side(struct side *side)
{
    if (side->raw || !side->conn)
        return;
    ferry_conn_stats(side->conn, &side->stats);
    if (side->stats.drops > 0)
        sim_reached(side->stats.drop_reason == -ENOBUFS ? SIM_DROPPED : SIM_LATE_SEND);
    check_count("on_close", side->closed, 1);
    messages_check(side);
}

void world_check(void)
{
    for (unsigned i = 0; i < world.side_count; i++)
        check_side(&world.sides[i]);
    for (unsigned i = 0; i < world.side_count; i++)
        ferry_conn_unref(world.sides[i].conn);
    check_count("released", world.released, world.lent);
    check_count("contexts released", world.contexts_released, world.contexts);
    check_count("coroutines run", world.ran, world.spawned);
    check_count("posts run", world.posts_run, world.posted);
    check_count("transfers done", world.transfers_done, world.transfers);
    if (world.timers_run > world.timers)
        check_count("timers run", world.timers_run, world.timers);
    check_count("descriptors open", sim_fd_count(), 0);
}
