/* SPDX-License-Identifier: MIT
 *
 * src/base/mailbox.h, and how a post ends a loop's sleep (src/loop/loop.c): each letter is found once, with what was written
 * into it, those of one thread in their order, and none is slept over.
 */
#include "kernel.h"
#include "loop/loop.h"
#include "scenes.h"

enum { EACH = 2 }; /* letters of a thread */

struct letter {
    struct fy_task task;
    unsigned thread, number, found;
};

static struct {
    struct fy_mailbox box;
    struct letter letters[THREADS][EACH];
    ferry_loop loop;
    unsigned ran;
} * shared;

static void setup(void)
{
    kernel_reset(0, 0);
    shared = explore_calloc(1, sizeof *shared);
}

static void write_letter(unsigned number, void (*run)(struct fy_task *))
{
    struct letter *letter = &shared->letters[explore_self()][number];
    letter->thread = explore_self();
    letter->number = number;
    letter->task.run = run;
}

static void read_letter(struct letter *letter)
{
    if (letter->found++)
        explore_fail("a letter is found again");
    if (letter->number > 0 && !shared->letters[letter->thread][letter->number - 1].found)
        explore_fail("a letter is found before an older one");
    shared->ran++;
}

/* The mailbox alone. */

static void put_letters(void)
{
    for (unsigned i = 0; i < EACH; i++) {
        write_letter(i, NULL);
        fy_mailbox_put(&shared->box, &shared->letters[explore_self()][i].task.letter);
    }
}

/* The search asks, not a thread. */
__attribute__((no_sanitize("thread"))) static bool has_letters(const void *box, unsigned thread)
{
    (void)thread;
    return *(void *const volatile *)box != NULL;
}

static void take_letters(void)
{
    while (shared->ran < 2 * EACH) {
        explore_await(&shared->box.newest, has_letters);
        for (struct fy_letter *letter = fy_mailbox_take(&shared->box); letter;) {
            struct letter *found = FY_CONTAINER(letter, struct letter, task.letter);
            letter = letter->next;
            read_letter(found);
        }
    }
}

/* A loop. */

static void setup_loop(void)
{
    setup();
    fy_loop_init(&shared->loop, &kernel_backend);
    atomics_quiet(&shared->loop.wakeups, offsetof(ferry_loop, pool) - offsetof(ferry_loop, wakeups));
}

static void run_letter(struct fy_task *task)
{
    read_letter(FY_CONTAINER(task, struct letter, task));
}

static void post(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        write_letter(i, run_letter);
        fy_loop_post(&shared->loop, &shared->letters[explore_self()][i].task);
    }
}

static void post_one(void)
{
    post(1);
}

static void post_two(void)
{
    post(2);
}

static void turn_for_two(void)
{
    while (shared->ran < 2)
        fy_loop_turn(&shared->loop, -1);
}

static void nothing(void)
{
}

const struct scene scenes[] = {
    {.name = "mailbox", .setup = setup, .threads = {take_letters, put_letters, put_letters}, .check = nothing},
    {.name = "sleep_one_posts",
     .setup = setup_loop,
     .threads = {turn_for_two, post_two},
     .check = nothing,
     .buffered = true},
    {.name = "sleep_two_post",
     .setup = setup_loop,
     .threads = {turn_for_two, post_one, post_one},
     .check = nothing,
     .buffered = true},
    {0},
};
