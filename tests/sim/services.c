/* SPDX-License-Identifier: MIT
 *
 * The sides that the library drives: with callbacks, and as coroutines. How they read is drawn anew each time.
 */
#include "world.h"

#include <errno.h>

enum { MOST_LEFT = 500, MOST_READ = 3000 };

/* A client's side is told to its callbacks, a server's is the next. */
static struct side *opening(void *arg)
{
    if (arg)
        return arg;
    if (world.side_count == SIDES)
        sim_fail("more than %d sides", (int)SIDES);
    return &world.sides[world.side_count++];
}

static void check_callback(const struct side *side)
{
    if (*sim_inside() || ferry_self())
        sim_fail("side %d: a callback inside of a call", (int)(side - world.sides));
    if (!side->opened || side->closed)
        sim_fail("side %d: a callback before it opened, or after it closed", (int)(side - world.sides));
}

static void on_open(ferry_conn *conn, void *arg)
{
    if (*sim_inside() || ferry_self())
        sim_fail("on_open inside of a call");
    side_open(opening(arg), conn);
}

static void resume_later(void *arg)
{
    struct side *side = arg;
    ferry_conn_resume(side->conn);
    world.timers_run++;
}

static void pause_for_a_while(struct side *side)
{
    ferry_conn_pause(side->conn);
    world.timers++;
    if (!ferry_after(ferry_conn_loop(side->conn), 1 + sim_random(10), resume_later, side))
        sim_fail("no timer");
}

static size_t on_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct side *side = side_of(conn);
    (void)arg;
    check_callback(side);
    if (len == 0 || side->eof)
        sim_fail("side %d: on_data with nothing, or after the end", (int)(side - world.sides));
    if (world.plan.limits.max_input > 0 && side->leftover > world.plan.limits.max_input)
        sim_fail("side %d: it was let leave %zu bytes", (int)(side - world.sides), side->leftover);
    reader_rehearses(side, data, len);
    size_t used = len;
    if (sim_one_in(world.plan.nibbles) && !world.healed) {
        sim_reached(SIM_LEFTOVER);
        used = len < MOST_LEFT ? sim_random(len + 1) : len - sim_random(MOST_LEFT);
    }
    reader_takes(side, data, used);
    side->leftover = len - used;
    if (!world.healed && sim_one_in(12))
        pause_for_a_while(side);
    return used;
}

static void on_eof(ferry_conn *conn, void *arg)
{
    struct side *side = side_of(conn);
    (void)arg;
    check_callback(side);
    if (side->eof)
        sim_fail("side %d: on_eof twice", (int)(side - world.sides));
    reader_ends(side);
    if (world.plan.by_shutdown || sim_one_in(3)) {
        if (sim_one_in(2))
            ferry_shutdown(conn);
        return;
    }
    side->closing = true;
    ferry_close(conn);
}

static void on_drain(ferry_conn *conn, void *arg)
{
    (void)arg;
    check_callback(side_of(conn));
    sim_reached(SIM_DRAINED);
}

static void on_high_water(ferry_conn *conn, size_t pending, void *arg)
{
    struct side *side = side_of(conn);
    (void)arg;
    check_callback(side);
    if (side->high || pending <= world.plan.limits.high_water)
        sim_fail("side %d: on_high_water again, or with %zu bytes", (int)(side - world.sides), pending);
    side->high = true;
    sim_reached(SIM_HIGH);
}

static void on_low_water(ferry_conn *conn, size_t pending, void *arg)
{
    struct side *side = side_of(conn);
    (void)arg;
    check_callback(side);
    if (!side->high || pending > world.plan.limits.low_water)
        sim_fail("side %d: on_low_water again, or with %zu bytes", (int)(side - world.sides), pending);
    side->high = false;
}

/* One that could not connect has no context. */
static void on_close(ferry_conn *conn, int reason, void *arg)
{
    struct side *side = side_of(conn);
    side_close(side ? side : arg, conn, reason);
}

/* Coroutines. */

static ssize_t peek_some(struct side *side)
{
    const void *data;
    ssize_t n = ferry_peek(side->conn, &data);
    if (n <= 0)
        return n;
    size_t used = 1 + sim_random((uint64_t)n);
    reader_takes(side, data, used);
    ferry_consume(side->conn, used);
    return (ssize_t)used;
}

static ssize_t read_some(struct side *side)
{
    char bytes[MOST_READ];
    size_t cap = sim_size(MOST_READ);
    if (sim_one_in(2))
        return peek_some(side);
    if (world.plan.limits.max_input > 0 && cap > world.plan.limits.max_input)
        cap = world.plan.limits.max_input; /* ferry_recv_exact() of more may fail with a part taken */
    ssize_t n = sim_one_in(2) ? ferry_recv(side->conn, bytes, cap) : ferry_recv_exact(side->conn, bytes, cap);
    if (n > 0)
        reader_takes(side, bytes, (size_t)n);
    return n;
}

static void rest(void)
{
    if (sim_one_in(2))
        ferry_yield();
    else
        ferry_sleep(sim_random(5));
}

/* The end may also be that of ferry_close(), which drops what is still to be read: no clean one, then. */
static void read_all(struct side *side)
{
    ssize_t n = 1;
    while (n > 0 || n == -ETIMEDOUT) {
        if (n == -ETIMEDOUT)
            sim_reached(SIM_DEADLINE);
        bool hurry = !world.healed && sim_one_in(6);
        ferry_conn_set_deadline(side->conn, hurry ? 1 + sim_random(10) : 0);
        n = read_some(side);
        if (ferry_conn_error(side->conn) == -ETIMEDOUT)
            break;
        if (!world.healed && sim_one_in(10))
            rest();
    }
    if (n == 0 && !side->closing)
        reader_ends(side);
    side->ended = true;
}

static void serve(ferry_conn *conn, void *arg)
{
    struct side *side = opening(arg);
    side->straight = true;
    side_open(side, conn);
    read_all(side);
    side->closing = true;
}

void serve_dialled(struct side *side)
{
    read_all(side);
    side->closing = true;
    ferry_close(side->conn);
}

ferry_service service_for(unsigned kind, void *arg)
{
    ferry_service service = world.plan.limits;
    service.arg = arg;
    service.on_close = on_close;
    if (kind == 1)
        service.serve = serve;
    if (kind > 0)
        return service;
    service.on_open = on_open;
    service.on_data = on_data;
    service.on_eof = on_eof;
    service.on_drain = on_drain;
    service.on_high_water = on_high_water;
    service.on_low_water = on_low_water;
    return service;
}
