/* SPDX-License-Identifier: MIT
 *
 * The operations of a program: calls of the library's, by users' threads and by what they post and spawn.
 */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { HANDLES = OPS, PATIENCE_MS = 100, LATE_MS = 200 };

struct op ops[OPS];

static struct {
    ferry_co *cos[HANDLES];
    unsigned co_count;
    ferry_transfer *transfers[HANDLES];
    unsigned transfer_messages[HANDLES];
    unsigned transfer_count;
} handles;

/* The side it is about, if that is open, or was, and is the library's. */
static struct side *target(const struct op *op)
{
    struct side *side = &world.sides[op->link];
    if (op->server)
        side = other_side(side);
    return side && side->conn ? side : NULL;
}

static void release(void *bytes)
{
    world.released++;
    free(bytes);
}

/* No callback may run on this thread until the call is over; in a coroutine's, its loop goes on. */
static void enter(unsigned message)
{
    message_begins(message);
    *sim_inside() = ferry_self() == NULL;
}

static void leave(unsigned message)
{
    *sim_inside() = false;
    message_ends(message);
}

static void send_parts(struct side *side, unsigned char *bytes, size_t len)
{
    const struct iovec parts[] = {{bytes, len / 3}, {bytes, 0}, {bytes + len / 3, len - len / 3}};
    ferry_sendv(side->conn, parts, 3);
}

static void send_file(struct side *side, const unsigned char *bytes, size_t len, bool cut)
{
    side->short_file |= cut;
    ferry_file *file = ferry_file_from_fd(sim_fd_file(bytes, len, cut ? len - 1 : len));
    if (!file)
        sim_fail("no file");
    ferry_send_file(side->conn, file, 0, len);
    ferry_file_unref(file);
}

static void transfer_done(ferry_conn *conn, uint64_t sent, int verdict, void *arg)
{
    const struct message *m = arg;
    if (*sim_inside() || ferry_self())
        sim_fail("on_done inside of a call");
    bool all = sent == m->len; /* it may be given up while its last bytes leave: then it fails, with its connection */
    if ((verdict == 0) != all && !(all && m->may_be_left_out && verdict == -ECANCELED))
        sim_fail("a transfer of %zu bytes is done with %d after %llu", m->len, verdict, (unsigned long long)sent);
    (void)conn;
    world.transfers_done++;
}

static void send_transfer(struct side *side, unsigned message, const unsigned char *bytes, unsigned extra)
{
    struct message *m = &world.messages[message];
    const ferry_transfer_options options = {.rate = extra % 2 ? 0 : 1000 * 1000, .on_done = transfer_done, .arg = m};
    ferry_file *file = ferry_file_from_fd(sim_fd_file(bytes, m->len, m->len));
    if (!file)
        sim_fail("no file");
    world.transfers++;
    ferry_transfer *transfer = ferry_send_file_as(side->conn, file, 0, m->len, &options);
    ferry_file_unref(file);
    if (!transfer) {
        world.transfers--;
        return;
    }
    handles.transfer_messages[handles.transfer_count] = message;
    handles.transfers[handles.transfer_count++] = transfer;
}

static void give_up(unsigned extra)
{
    if (handles.transfer_count == 0)
        return;
    unsigned which = extra % 4 ? handles.transfer_count - 1 : extra % handles.transfer_count;
    struct message *m = &world.messages[handles.transfer_messages[which]];
    m->may_be_left_out = true;
    world.sides[m->from].gave_up = true;
    sim_reached(SIM_GIVEN_UP);
    ferry_transfer_cancel(handles.transfers[which]);
}

static void do_send(struct side *side, const struct op *op, unsigned message, unsigned char *bytes)
{
    size_t len = world.messages[message].len;
    ferry_blob *blob;
    switch (op->kind) {
    case OP_SENDV:
        send_parts(side, bytes, len);
        break;
    case OP_OWNED:
        world.lent++;
        ferry_send_owned(side->conn, bytes, len, release);
        return;
    case OP_BLOB:
        blob = ferry_blob_new(bytes, len);
        ferry_send_blob(side->conn, blob);
        ferry_blob_unref(blob);
        break;
    case OP_FILE:
        send_file(side, bytes, len, op->extra % 8 == 0);
        break;
    case OP_TRANSFER:
        send_transfer(side, message, bytes, op->extra);
        break;
    default:
        ferry_send(side->conn, bytes, len);
        break;
    }
    free(bytes);
}

static void send_message(struct side *side, const struct op *op)
{
    unsigned char *bytes;
    ferry_loop *loop = ferry_loop_current();
    uint64_t turn = loop ? ferry_loop_now(loop) : 0;
    unsigned message = message_new(side, op->size, &bytes);
    enter(message);
    do_send(side, op, message, bytes);
    leave(message);
    if (loop && ferry_self() && ferry_loop_now(loop) != turn)
        sim_reached(SIM_HELD_BACK);
}

static void work(void *arg)
{
    const struct op *op = arg;
    sim_sleep(op->size);
}

static void post_run(void *arg)
{
    (void)arg;
    if (*sim_inside() || ferry_self())
        sim_fail("a post runs inside of a call");
    world.posts_run++;
}

static void offload(struct side *side, struct op *op)
{
    if (ferry_self()) {
        ferry_offload(work, op);
        return;
    }
    world.posted++;
    if (ferry_offload_then(ferry_conn_loop(side->conn), work, post_run, op) < 0)
        sim_fail("no memory");
}

static void rest(struct side *side, const struct op *op)
{
    if (!ferry_self()) {
        sim_sleep(op->size * 1000);
        return;
    }
    bool here = ferry_conn_loop(side->conn) == ferry_loop_current(); /* it may have opened since it was looked for */
    uint64_t ms = op->size % 20, began = sim_now();
    int result = op->kind == OP_FLUSH && here ? ferry_flush(side->conn) : ferry_sleep(ms);
    if (op->kind == OP_SLEEP && result == 0 && sim_now() < began + ms * SIM_MS)
        sim_fail("a sleep of %llu ms is over after %llu us", (unsigned long long)ms,
                 (unsigned long long)(sim_now() - began) / 1000);
    if (result == -ECANCELED)
        sim_reached(SIM_CANCELLED);
}

static void look(const struct side *side)
{
    ferry_stats stats;
    ferry_conn_stats(side->conn, &stats);
    if (stats.written + stats.unsent != stats.queued || stats.acknowledged > stats.written)
        sim_fail("side %d: statistics that contradict each other", (int)(side - world.sides));
    if (ferry_conn_pending(side->conn) > stats.queued + (uint64_t)LONGEST * OPS)
        sim_fail("side %d: %zu bytes pending", (int)(side - world.sides), ferry_conn_pending(side->conn));
}

static void pause(struct side *side)
{
    if (world.healed)
        return;
    ferry_conn_pause(side->conn);
    if (world.healed)
        ferry_conn_resume(side->conn);
}

static void cancel(const struct op *op)
{
    if (handles.co_count > 0)
        ferry_cancel(handles.cos[op->extra % handles.co_count]);
}

static void join(const struct op *op)
{
    if (handles.co_count > 0 && !world.plan.stops && ferry_loop_current() == NULL)
        ferry_join(handles.cos[op->extra % handles.co_count]);
}

static void end(struct side *side, enum op_kind kind)
{
    side->closing |= kind != OP_SHUTDOWN;
    side->aborted |= kind == OP_ABORT;
    if (kind == OP_SHUTDOWN)
        ferry_shutdown(side->conn);
    else if (kind == OP_CLOSE)
        ferry_close(side->conn);
    else
        ferry_abort(side->conn);
}

static void stop(void)
{
    sim_reached(SIM_STOPPED_EARLY);
    world.stopping = true;
    ferry_pool_stop(world.pool);
}

static void act_on(struct side *side, struct op *op)
{
    switch (op->kind) {
    case OP_SHUTDOWN:
    case OP_CLOSE:
    case OP_ABORT:
        end(side, op->kind);
        break;
    case OP_PAUSE:
        pause(side);
        break;
    case OP_RESUME:
        ferry_conn_resume(side->conn);
        break;
    case OP_OFFLOAD:
        offload(side, op);
        break;
    case OP_FLUSH:
    case OP_SLEEP:
        rest(side, op);
        break;
    case OP_LOOK:
        look(side);
        break;
    case OP_GIVE_UP:
        give_up(op->extra);
        break;
    default:
        send_message(side, op);
        break;
    }
}

static void act(struct op *op)
{
    sim_note("op", (uint64_t)(op - ops), (uint64_t)op->kind);
    struct side *side = target(op);
    if (op->kind == OP_CANCEL)
        cancel(op);
    else if (op->kind == OP_JOIN)
        join(op);
    else if (op->kind == OP_DEAF)
        ferry_listener_close(world.listeners[op->extra % 2]);
    else if (op->kind == OP_STOP)
        stop();
    else if (side)
        act_on(side, op);
}

static void act_posted(void *arg)
{
    post_run(NULL);
    act(arg);
}

static uint64_t delay_of(const struct op *op)
{
    return op->extra % 20; /* milliseconds */
}

static void act_timed(void *arg)
{
    struct op *op = arg;
    uint64_t after = sim_now() - op->made;
    if (*sim_inside() || ferry_self())
        sim_fail("a timer runs inside of a call");
    if (after < delay_of(op) * SIM_MS || (after > (delay_of(op) + LATE_MS) * SIM_MS && !world.stopping))
        sim_fail("a timer of %llu ms runs after %llu us", (unsigned long long)delay_of(op),
                 (unsigned long long)after / 1000);
    world.timers_run++;
    act(op);
}

static void act_coroutine(void *arg)
{
    world.ran++;
    act(arg);
}

/* Connections take their time to open. */
static const struct side *await_target(const struct op *op)
{
    const uint64_t until = sim_now() + PATIENCE_MS * (uint64_t)SIM_MS;
    while (!target(op) && sim_now() < until && !world.healed)
        sim_wait(&world.changed, until);
    return target(op);
}

void op_perform(struct op *op)
{
    const struct side *side = await_target(op);
    ferry_loop *loop = side ? ferry_conn_loop(side->conn) : ferry_pool_loop(world.pool, op->extra % world.plan.loops);
    switch (op->way) {
    case POSTED:
        world.posted++;
        ferry_post(loop, act_posted, op);
        break;
    case BY_TIMER:
        world.timers++;
        op->made = sim_now();
        ferry_after(loop, delay_of(op), act_timed, op);
        break;
    case AS_COROUTINE:
        world.spawned++;
        handles.cos[handles.co_count] = ferry_spawn(loop, act_coroutine, op);
        handles.co_count++;
        break;
    default:
        act(op);
        break;
    }
}

void ops_end(void)
{
    for (unsigned i = 0; i < handles.transfer_count; i++)
        ferry_transfer_unref(handles.transfers[i]);
}

void op_print(const struct op *op)
{
    static const char *const kinds[] = {
        "send",  "sendv",  "owned", "blob",   "file", "transfer", "give up", "shutdown", "close",          "abort",
        "pause", "resume", "sleep", "cancel", "join", "offload",  "flush",   "look",     "listener close", "stop"};
    static const char *const peer_kinds[] = {"sends", "reads", "sleeps", "half-closes", "closes", "resets"};
    static const char *const ways[] = {"", " posted", " by timer", " as coroutine"};
    if (op->kind == OP_PEER)
        fprintf(stderr, "  %u: the peer of link %u %s %zu\n", (unsigned)(op - ops), op->link, peer_kinds[op->peer_kind],
                op->size);
    else
        fprintf(stderr, "  %u: user %u: %s%s, link %u %s, size %zu, extra %u\n", (unsigned)(op - ops), op->actor,
                kinds[op->kind], ways[op->way], op->link, op->server ? "server" : "client", op->size, op->extra);
}
