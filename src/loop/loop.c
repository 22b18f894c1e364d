/* SPDX-License-Identifier: MIT
 *
 * loop: the turn, and the sleep that a post ends.
 *
 * The sleep protocol. The loop says `asleep`, then looks into its mailbox, then sleeps. A poster puts its letter in, then
 * looks at `asleep`; the one who turns it to false rings. Both sides store one word and then load the other, so all four
 * are sequentially consistent: at least one side sees the other's store, and no letter is slept over. However many post,
 * one rings. Awake again, the loop clears `asleep` without any order: who sees that late rings once too often; and it cannot
 * come after the next time it is set, since all threads see the changes of one word in the same order.
 */
#include "loop/loop.h"

#include "base/clock.h"
#include "sys/sys.h"

#include <string.h>

_Thread_local ferry_loop *fy_loop_current;

ferry_loop *ferry_loop_current(void)
{
    return fy_loop_current;
}

uint64_t ferry_loop_now(const ferry_loop *loop)
{
    return loop->now;
}

int ferry_loop_fd(const ferry_loop *loop)
{
    return loop->poll->backend->fd(loop->poll);
}

/* Being woken is all; each ring tells anew. */
static void rung(struct fy_source *bell, const struct fy_completion *completion)
{
    if (completion->event == FY_READABLE)
        fy_poll_empty(FY_CONTAINER(bell, ferry_loop, bell)->poll, bell);
}

int fy_loop_init(ferry_loop *loop, const struct fy_backend *backend)
{
    memset(loop, 0, sizeof *loop);
    fy_list_init(&loop->conns);
    fy_list_init(&loop->dead);
    loop->now = fy_now_ns();
    atomic_store(&loop->asleep, true); /* until the first turn: a foreign loop may be watching the descriptor */
    loop->bell.done = rung;
    loop->bell.fd = fy_sys_eventfd();
    if (loop->bell.fd < 0)
        return loop->bell.fd;
    int error = backend->open(&loop->poll, loop->bell.fd);
    if (error == 0) {
        error = fy_poll_add(loop->poll, &loop->bell);
        if (error < 0)
            backend->close(loop->poll);
    }
    if (error < 0) {
        fy_sys_close(loop->bell.fd);
        return error;
    }
    fy_poll_request(loop->poll, &loop->bell, FY_WANT_READABLE);
    return 0;
}

void fy_loop_fini(ferry_loop *loop)
{
    fy_after_fini(loop);
    fy_poll_remove(loop->poll, &loop->bell);
    loop->poll->backend->close(loop->poll);
    fy_sys_close(loop->bell.fd);
    fy_timers_fini(&loop->timers);
    fy_blocks_fini(&loop->blocks);
}

bool fy_loop_put(ferry_loop *loop, struct fy_task *task)
{
    fy_mailbox_put(&loop->mail, &task->letter);
    atomic_fetch_add_explicit(&loop->posts, 1, memory_order_relaxed);
    return fy_loop_current != loop && atomic_load(&loop->asleep) && atomic_exchange(&loop->asleep, false);
}

void fy_loop_ring(ferry_loop *loop)
{
    atomic_fetch_add_explicit(&loop->wakeups, 1, memory_order_relaxed);
    fy_sys_ring(loop->bell.fd);
}

void fy_loop_post(ferry_loop *loop, struct fy_task *task)
{
    if (fy_loop_put(loop, task))
        fy_loop_ring(loop);
}

int64_t fy_loop_idle_ns(const ferry_loop *loop)
{
    if (loop->poll->backend->busy(loop->poll) || !fy_mailbox_empty(&loop->mail))
        return 0;
    uint64_t due = fy_timers_next(&loop->timers);
    if (due == UINT64_MAX)
        return -1;
    uint64_t now = fy_now_ns();
    if (due <= now)
        return 0;
    return due - now > INT64_MAX ? -1 : (int64_t)(due - now);
}

/* What the next task is part of comes into the cache meanwhile; most of it lies behind the task. */
static void fetch(const struct fy_letter *next)
{
    enum { LINE = 64, LINES = 4 };
    for (int line = 0; next && line < LINES; line++)
        __builtin_prefetch((const char *)next + line * LINE);
}

void fy_loop_settle(ferry_loop *loop)
{
    ferry_loop *outer = fy_loop_current;
    fy_loop_current = loop;
    struct fy_letter *letter = fy_mailbox_take(&loop->mail);
    while (letter) {
        struct fy_task *task = FY_CONTAINER(letter, struct fy_task, letter);
        letter = letter->next;
        fetch(letter);
        task->run(task);
    }
    while (!fy_list_empty(&loop->dead))
        loop->bury(&loop->dead);
    fy_loop_current = outer;
}

void fy_loop_flush(ferry_loop *loop)
{
    ferry_loop *outer = fy_loop_current;
    fy_loop_current = loop;
    if (loop->poll->backend->flush)
        loop->poll->backend->flush(loop->poll);
    fy_loop_current = outer;
}

void fy_loop_finish(ferry_loop *loop)
{
    ferry_loop *outer = fy_loop_current;
    fy_loop_current = loop;
    fy_loop_flush(loop);
    loop->poll->backend->reap(loop->poll);
    fy_loop_settle(loop);
    fy_loop_current = outer;
}

static void run_timers(ferry_loop *loop)
{
    uint64_t due = fy_timers_next(&loop->timers);
    if (due > loop->now)
        return;
    loop->counters.lag_ns = loop->now - due;
    if (loop->counters.lag_ns > loop->counters.lag_max_ns)
        loop->counters.lag_max_ns = loop->counters.lag_ns;
    loop->counters.timers += fy_timers_run(&loop->timers, loop->now);
}

int fy_loop_turn(ferry_loop *loop, int64_t timeout_ns)
{
    ferry_loop *outer = fy_loop_current;
    fy_loop_current = loop;
    loop->counters.turns++;
    if (timeout_ns != 0) {
        atomic_store(&loop->asleep, true);
        int64_t idle = fy_loop_idle_ns(loop);
        if (idle >= 0 && (timeout_ns < 0 || idle < timeout_ns))
            timeout_ns = idle;
    }
    fy_loop_does(loop, NULL, NULL, NULL);
    int error = loop->poll->backend->wait(loop->poll, timeout_ns);
    atomic_store_explicit(&loop->asleep, false, memory_order_relaxed);
    loop->now = fy_now_ns();
    loop->counters.events += loop->poll->backend->reap(loop->poll);
    run_timers(loop);
    fy_loop_settle(loop);
    fy_loop_current = outer;
    return error;
}
