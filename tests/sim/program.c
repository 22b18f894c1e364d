/* SPDX-License-Identifier: MIT
 *
 * A program: what a seed makes of the weather, the services and the threads, and how it runs: for a while at random; then the
 * weather clears, all that was held up is let go, and all has to come to an end.
 */
#include "world.h"

#include <stdio.h>
#include <string.h>

enum { USERS = 3, FIRST_PORT = 80, CHAOS_MS = 1500, LEFT_MS = 40, SETTLE_MS = 4000, END_MS = 100 * 1000, RETRIES = 3 };

enum link_kind { LINK_RAW, LINK_CALLBACKS, LINK_COROUTINE, LINK_KINDS };

static struct {
    enum link_kind kind[LINKS];
    unsigned listener[LINKS];
    bool lazy[LINKS];
} links;

static struct peer peers[LINKS];
static unsigned threads[USERS + LINKS + 1], thread_count, users_left;
static uint64_t drawn; /* the series that the plan is drawn from */

static uint64_t draw(uint64_t limit)
{
    return random_below(&drawn, limit);
}

#define PICK(...) ((const uint64_t[]){__VA_ARGS__})[draw(sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))]

static void plan_weather(void)
{
    sim_weather = (struct sim_weather){
        .delay_ns = PICK(2000, 50 * 1000, SIM_MS, 10 * SIM_MS),
        .piece = PICK(1, 30, 1460, 1460, 65536, 65536, 65536),
        .buffer = PICK(8, 200, 3000, 3000, 16384, 16384, 65536, 65536),
        .faked_full = (unsigned)PICK(0, 0, 8, 3),
        .starved = (unsigned)PICK(0, 0, 40, 10),
        .idle_edge = (unsigned)PICK(0, 0, 0, 10),
        .no_accept = (unsigned)PICK(0, 0, 5),
        .refused = (unsigned)PICK(0, 0, 4),
        .lost = (unsigned)PICK(0, 0, 6),
        .cold = (unsigned)PICK(0, 3, 1),
        .no_thread = (unsigned)PICK(0, 0, 2),
    };
    if (sim_weather.piece < sim_weather.buffer / 200)
        sim_weather.piece = sim_weather.buffer / 200;
}

static void plan_limits(void)
{
    ferry_service *limits = &world.plan.limits;
    limits->high_water = PICK(1 << 20, 20000, 2000, 100);
    limits->low_water = limits->high_water / PICK(1, 2, 10);
    limits->max_pending = PICK(0, 0, 0, 30000);
    limits->max_input = PICK(0, 0, 0, 300);
    limits->overflow = draw(2) ? FERRY_OVERFLOW_DROP : FERRY_OVERFLOW_CLOSE;
    limits->idle_timeout_ms = (unsigned)PICK(0, 0, 0, 0, 0, 30);
    limits->linger_ms = (unsigned)PICK(0, 0, 0, 0, 0, 40);
    world.plan.impatient = limits->idle_timeout_ms || limits->linger_ms;
}

static size_t draw_size(void)
{
    size_t most = PICK(64, 64, 3000, 20000, 100000, LONGEST);
    size_t at_once = sim_weather.buffer < sim_weather.piece ? sim_weather.buffer : sim_weather.piece;
    if (most > at_once * 50 + 100)
        most = at_once * 50 + 100;
    return (size_t)draw(most) + 1;
}

static void plan_peer_op(struct op *op)
{
    static const enum peer_kind kinds[] = {PEER_SEND, PEER_SEND,  PEER_SEND,       PEER_SEND,  PEER_READ,
                                           PEER_READ, PEER_SLEEP, PEER_HALF_CLOSE, PEER_CLOSE, PEER_RESET};
    enum { RUDE = 3 };
    op->kind = OP_PEER;
    bool rude = !world.plan.calm && draw(4) == 0;
    op->peer_kind = kinds[draw(sizeof kinds / sizeof *kinds - (rude ? 0 : RUDE))];
}

/* The last few end something. */
static enum op_kind draw_kind(void)
{
    static const enum op_kind kinds[] = {
        OP_SEND,    OP_SEND,   OP_SEND, OP_SEND,     OP_SEND,     OP_SEND,     OP_SENDV, OP_SENDV, OP_OWNED,  OP_OWNED,
        OP_BLOB,    OP_BLOB,   OP_FILE, OP_TRANSFER, OP_TRANSFER, OP_SLEEP,    OP_FLUSH, OP_PAUSE, OP_RESUME, OP_LOOK,
        OP_OFFLOAD, OP_CANCEL, OP_JOIN, OP_GIVE_UP,  OP_GIVE_UP,  OP_SHUTDOWN, OP_CLOSE, OP_ABORT};
    enum { RUDE = 3 };
    bool rude = !world.plan.calm && draw(4) == 0;
    return kinds[draw(sizeof kinds / sizeof *kinds - (rude ? 0 : RUDE))];
}

static void plan_op(struct op *op)
{
    *op = (struct op){.actor = (unsigned)draw(world.plan.users + world.plan.links), .extra = (unsigned)draw(1000)};
    op->link = (unsigned)draw(world.plan.links);
    op->size = draw_size();
    if (op->actor >= world.plan.users) {
        op->link = op->actor - world.plan.users;
        plan_peer_op(op);
        return;
    }
    op->kind = draw_kind();
    op->way = (enum way)draw(WAYS);
    op->server = links.kind[op->link] == LINK_RAW || draw(2);
    if (op->kind == OP_FLUSH)
        op->way = AS_COROUTINE;
    if ((op->kind == OP_SLEEP && op->way != AS_COROUTINE) || op->kind == OP_JOIN)
        op->way = DIRECTLY;
    if (op->kind == OP_SLEEP)
        op->size %= 5000;
}

void program_plan(uint64_t seed)
{
    drawn = seed * 2 + 1;
    drawn = random_next(&drawn);
    world.plan.loops = 1 + (unsigned)draw(3);
    world.plan.links = (unsigned)PICK(1, 1, 2, LINKS);
    world.plan.users = 1 + (unsigned)draw(USERS);
    world.plan.ops = 4 + (unsigned)draw(draw(2) ? 30 : OPS - 4);
    world.plan.calm = draw(2);
    world.plan.by_shutdown = draw(2);
    world.plan.stops = draw(8) == 0;
    world.plan.nibbles = (unsigned)PICK(0, 5, 2);
    plan_weather();
    plan_limits();
    for (unsigned i = 0; i < world.plan.links; i++) {
        links.kind[i] = (enum link_kind)draw(LINK_KINDS);
        links.listener[i] = (unsigned)draw(2);
        links.lazy[i] = draw(4) == 0;
    }
    for (unsigned i = 0; i < world.plan.ops; i++)
        plan_op(&ops[i]);
    unsigned last = world.plan.ops - 1;
    if (world.plan.stops)
        ops[last] = (struct op){.actor = 0, .kind = OP_STOP};
    else if (draw(8) == 0)
        ops[last] = (struct op){.actor = 0, .kind = OP_DEAF, .extra = (unsigned)draw(2)};
}

/* The threads. */

static void *use(void *arg)
{
    const unsigned *actor = arg;
    for (unsigned i = 0; i < world.plan.ops; i++)
        if (ops[i].actor == *actor && ops[i].kind != OP_PEER && !ops[i].dropped)
            op_perform(&ops[i]);
    users_left--;
    sim_wake(&world.changed);
    return NULL;
}

static void *be_peer(void *arg)
{
    struct peer *peer = arg;
    peer_connect(peer);
    for (unsigned i = 0; i < world.plan.ops; i++)
        if (ops[i].kind == OP_PEER && &world.sides[ops[i].link] == peer->side && !ops[i].dropped)
            peer_does(peer, ops[i].peer_kind, ops[i].size);
    peer_ends(peer);
    return NULL;
}

static void address_of(unsigned link, char *address, size_t cap)
{
    snprintf(address, cap, "127.0.0.1:%u", FIRST_PORT + links.listener[link]);
}

static void dial(void *arg)
{
    struct side *side = arg;
    char address[64];
    const ferry_service service = service_for(2, side);
    address_of(side->link, address, sizeof address);
    ferry_conn *conn = NULL;
    for (int tries = 0; !conn && tries < RETRIES && !world.healed; tries++) {
        side->dials++;
        conn = ferry_dial_as(address, 50, &service);
        ferry_stats stats = {0};
        if (conn)
            ferry_conn_stats(conn, &stats);
        if (stats.verdict == FERRY_VERDICT_OPEN)
            continue;
        ferry_conn_unref(conn); /* it has closed already, which was told */
        conn = NULL;
    }
    if (conn) {
        side->straight = true;
        side_open(side, conn);
        side->dialling = false;
        serve_dialled(side);
        ferry_conn_unref(conn);
    }
    side->dialling = false;
    sim_wake(&world.changed);
}

static void begin_link(unsigned i)
{
    struct side *side = &world.sides[i];
    ferry_loop *loop = ferry_pool_loop(world.pool, i % world.plan.loops);
    const ferry_service service = service_for(0, side);
    const ferry_connect_options options = {.timeout_ms = 50, .attempts = 3, .backoff_ms = 2};
    char address[64];
    address_of(i, address, sizeof address);
    *side = (struct side){.client = true, .link = i, .raw = links.kind[i] == LINK_RAW};
    if (side->raw) {
        peers[i] = (struct peer){.side = side, .listener = FIRST_PORT + links.listener[i], .lazy = links.lazy[i]};
        threads[thread_count++] = sim_spawn("peer", be_peer, &peers[i]);
    } else if (links.kind[i] == LINK_COROUTINE) {
        side->dialling = true;
        if (!ferry_spawn(loop, dial, side))
            sim_fail("no coroutine");
    } else {
        side->dials = 1;
        if (ferry_connect(loop, address, &service, &options) < 0)
            sim_fail("ferry_connect() failed");
    }
}

/* Also what holds up the users: a peer that does not read, and a coroutine that waits for it. */
static void heal(void)
{
    sim_note("heal", 0, 0);
    const struct sim_weather before = sim_weather;
    sim_weather = (struct sim_weather){
        .delay_ns = 20000, .piece = 65536, .buffer = before.buffer, .loops = before.loops};
    if (world.plan.limits.linger_ms > 0) { /* what ends is to take its time, and yet get on */
        sim_weather.delay_ns = 20 * SIM_MS;
        sim_weather.piece = before.piece;
    }
    world.healed = true;
    for (unsigned i = 0; i < world.side_count; i++)
        if (world.sides[i].conn)
            ferry_conn_resume(world.sides[i].conn);
    sim_fd_wake_all();
}

static void tell_open_ones(void)
{
    char open[512] = "";
    for (unsigned i = 0; i < world.side_count; i++) {
        const struct side *s = &world.sides[i];
        if (s->raw ? !s->ended : s->dialling || s->failed + s->closed < s->dials + !s->client)
            snprintf(open + strlen(open), sizeof open - strlen(open), " %u%s", i, s->raw ? " (raw)" : "");
    }
    sim_fail("all is well, and yet these sides do not close:%s", open);
}

/* Without an end of anything: an event that was missed must not be made up for by those of the end. */
static void settle(uint64_t until)
{
    while (!world_is_settled() && !world.over) {
        if (sim_now() >= until)
            sim_fail("all is well, and yet something does not arrive");
        sim_sleep(SIM_MS);
    }
}

static void end_all(void)
{
    world.ending = true;
    sim_fd_wake_all();
    for (unsigned i = 0; i < world.side_count; i++)
        side_finish(&world.sides[i]);
}

static void *control(void *arg)
{
    (void)arg;
    uint64_t until = sim_now() + CHAOS_MS * (uint64_t)SIM_MS;
    while (users_left > 0 && sim_now() < until)
        sim_wait(&world.changed, until);
    sim_sleep(sim_random(LEFT_MS) * SIM_MS);
    heal();
    until = sim_now() + END_MS * (uint64_t)SIM_MS;
    while (users_left > 0)
        if (!sim_wait(&world.changed, until))
            sim_fail("all is well, and yet users are held up");
    if (world.plan.limits.linger_ms == 0)
        settle(sim_now() + SETTLE_MS * (uint64_t)SIM_MS);
    end_all();
    while (!world_is_over() && !world.over)
        if (!sim_wait(&world.changed, until))
            tell_open_ones();
    world.stopping = true;
    ferry_pool_stop(world.pool);
    return NULL;
}

/* What cannot be done without is had in fine weather. */
static void open_pool(void)
{
    const struct sim_weather weather = sim_weather;
    sim_weather = (struct sim_weather){.delay_ns = 1, .piece = 1, .buffer = 1};
    world.pool = ferry_pool_new(
        &(ferry_pool_options){.threads = world.plan.loops, .backend = FERRY_BACKEND_EPOLL, .grace_ms = 20000});
    if (!world.pool)
        sim_fail("no pool");
    for (unsigned i = 0; i < 2; i++) {
        char address[64];
        const ferry_service service = service_for(i, NULL);
        snprintf(address, sizeof address, "127.0.0.1:%u", FIRST_PORT + i);
        world.listeners[i] = ferry_listen(world.pool, address, &service);
        if (!world.listeners[i])
            sim_fail("nothing to listen with");
    }
    sim_weather = weather;
    sim_weather.loops = world.plan.loops - 1;
}

static void begin_threads(void)
{
    static unsigned actors[USERS];
    world.side_count = world.plan.links;
    for (unsigned i = 0; i < world.plan.links; i++)
        begin_link(i);
    users_left = world.plan.users;
    for (unsigned i = 0; i < world.plan.users; i++) {
        actors[i] = i;
        threads[thread_count++] = sim_spawn("user", use, &actors[i]);
    }
    threads[thread_count++] = sim_spawn("control", control, NULL);
}

void program_run(void)
{
    open_pool();
    begin_threads();
    if (ferry_pool_run(world.pool) < 0)
        sim_fail("ferry_pool_run() failed");
    world.over = true;
    sim_wake(&world.changed);
    for (unsigned i = 0; i < thread_count; i++)
        sim_join(threads[i]);
    ferry_pool_free(world.pool); /* what was posted and has not run runs now */
    ops_end();
    world_check();
}
