/* SPDX-License-Identifier: MIT
 *
 * A connection (src/conn) between threads that send, its loop, and a kernel whose window is small: each message arrives once,
 * whole; and an end that another thread brings about is the last that its loop hears of it.
 */
#include "conn/conn.h"
#include "kernel.h"
#include "scenes.h"

#include <string.h>

enum { SMALL = 16, BIG = 4096, LONG = 256 * 1024, SOCKET = 4, FILE_FD = 5 };
enum { LOOP = 1, PEER = 2 }; /* the threads' bits */

static struct {
    ferry_loop *loop;
    ferry_conn *conn;
    struct fy_task first; /* the loop's own call */
    unsigned closes;
} * shared;

static char small[SMALL], big[BIG], other_big[BIG];

/* The observer, and the loop. */

static void hears(ferry_conn *conn)
{
    (void)conn;
}

static size_t hears_data(ferry_conn *conn, const void *data, size_t len)
{
    (void)conn;
    (void)data;
    return len;
}

static void hears_mark(ferry_conn *conn, size_t pending)
{
    (void)conn;
    (void)pending;
}

static void hears_close(ferry_conn *conn, int reason)
{
    (void)conn;
    (void)reason;
    shared->closes++;
}

static const struct fy_observer observer = {
    .open = hears,
    .data = hears_data,
    .eof = hears,
    .drain = hears,
    .high = hears_mark,
    .low = hears_mark,
    .close = hears_close,
};
static const struct fy_driver driver = {.observer = &observer, .high_water = SIZE_MAX};

/* `gap`: nanoseconds between any two looks at the clock; short ones make threads be in a hurry. */
static void setup(size_t room, uint64_t gap)
{
    memset(small, 's', SMALL);
    memset(big, 'b', BIG);
    memset(other_big, 'o', BIG);
    kernel_reset(room, gap);
    shared = explore_calloc(1, sizeof *shared);
    shared->loop = explore_calloc(1, sizeof *shared->loop);
    fy_loop_init(shared->loop, &kernel_backend);
    shared->loop->bury = fy_conn_bury;
    shared->conn = fy_conn_new(shared->loop, &driver, NULL);
    fy_conn_attach(shared->conn);
    fy_loop_current = shared->loop;
    fy_conn_open(shared->conn, SOCKET);
    fy_loop_current = NULL;
    atomics_quiet(&shared->loop->wakeups, offsetof(ferry_loop, pool) - offsetof(ferry_loop, wakeups));
    atomics_quiet(&shared->conn->active, sizeof shared->conn->active);
}

static void setup_calm(void)
{
    setup(BIG, 1000000);
}

static void setup_hurry(void)
{
    setup(2 * BIG, 0);
}

static void turn_for_ever(void)
{
    for (;;)
        fy_loop_turn(shared->loop, -1);
}

static void send_small(void)
{
    ferry_send(shared->conn, small, SMALL);
}

static void send_big(void)
{
    ferry_send(shared->conn, big, BIG);
}

static void send_other_big(void)
{
    ferry_send(shared->conn, other_big, BIG);
}

static void check_idle(void)
{
    const struct fy_outbox *out = &shared->conn->out;
    if (out->first || out->role != FY_IDLE || fy_outbox_pending(out) > 0)
        explore_fail("%llu bytes wait, and nobody sends them", (unsigned long long)fy_outbox_pending(out));
    if (kernel.corked)
        explore_fail("TCP_CORK is still on");
}

static void check_small_and_big(void)
{
    check_idle();
    if (kernel_came('s', SMALL) != 1 || kernel_came('b', BIG) != 1)
        explore_fail("a message is missing");
}

static void check_bigs(void)
{
    check_idle();
    if (kernel_came('b', BIG) != 1 || kernel_came('o', BIG) != 1)
        explore_fail("a message is missing");
}

/* A long file leaves under TCP_CORK, while another thread sends. */

static void send_file(struct fy_task *task)
{
    (void)task;
    ferry_file *file = ferry_file_from_fd(FILE_FD);
    fy_conn_enter(shared->conn);
    ferry_send_file(shared->conn, file, 0, LONG);
    fy_conn_leave(shared->conn);
    ferry_file_unref(file);
}

static void setup_file(void)
{
    setup(2 * LONG, 1000000);
    shared->first.run = send_file;
    fy_loop_post(shared->loop, &shared->first);
}

static void check_file(void)
{
    check_idle();
    if (kernel_came('s', SMALL) != 1 || kernel_came('F', LONG) != 1)
        explore_fail("a message is missing");
}

/* The end of the connection is that of its loop. */

static void abort_it(struct fy_task *task)
{
    (void)task;
    ferry_abort(shared->conn);
}

/* It is the loop that aborts. */
static void setup_end_by_loop(void)
{
    setup_calm();
    ferry_conn_ref(shared->conn);
    shared->first.run = abort_it;
    fy_loop_post(shared->loop, &shared->first);
}

static void setup_end(void)
{
    setup_calm();
    ferry_conn_ref(shared->conn);
    ferry_conn_ref(shared->conn);
}

static void turn_to_the_end(void)
{
    while (!fy_list_empty(&shared->loop->conns) || !fy_mailbox_empty(&shared->loop->mail))
        fy_loop_turn(shared->loop, -1);
    fy_loop_fini(shared->loop);
    explore_free(shared->loop);
}

static void send_and_leave(void)
{
    send_small();
    ferry_conn_unref(shared->conn);
}

static void pause_and_leave(void)
{
    ferry_conn_pause(shared->conn);
    ferry_conn_unref(shared->conn);
}

static void abort_and_leave(void)
{
    ferry_abort(shared->conn);
    ferry_conn_unref(shared->conn);
}

static void check_end(void)
{
    if (shared->closes != 1)
        explore_fail("its end is told %u times", shared->closes);
}

const struct scene scenes[] = {
    {.name = "outbox_small_and_big",
     .setup = setup_calm,
     .threads = {turn_for_ever, kernel_peer, send_small, send_big},
     .daemons = LOOP | PEER,
     .check = check_small_and_big},
    {.name = "outbox_in_a_hurry",
     .setup = setup_hurry,
     .threads = {turn_for_ever, send_small, send_big},
     .daemons = LOOP,
     .check = check_small_and_big},
    {.name = "outbox_two_big",
     .setup = setup_calm,
     .threads = {turn_for_ever, kernel_peer, send_big, send_other_big},
     .daemons = LOOP | PEER,
     .check = check_bigs},
    {.name = "outbox_behind_a_file",
     .setup = setup_file,
     .threads = {turn_for_ever, kernel_peer, send_small},
     .daemons = LOOP | PEER,
     .check = check_file},
    {.name = "outbox_end",
     .setup = setup_end,
     .threads = {turn_to_the_end, send_and_leave, abort_and_leave},
     .check = check_end},
    {.name = "outbox_end_of_a_pause",
     .setup = setup_end_by_loop,
     .threads = {turn_to_the_end, pause_and_leave},
     .check = check_end},
    {0},
};
