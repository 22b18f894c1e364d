/* SPDX-License-Identifier: MIT
 *
 * src/sys/lock.h and lock.c: who holds it is alone, sees what those before did, and nobody waits for ever.
 */
#include "kernel.h"
#include "scenes.h"
#include "sys/lock.h"

static struct {
    struct fy_lock lock;
    unsigned inside, times;
} * guarded;

static void setup(void)
{
    kernel_reset(0, 0);
    guarded = explore_calloc(1, sizeof *guarded);
}

/* A wait may end for no reason, once. */
static void setup_early(void)
{
    setup();
    kernel.early = 1;
}

static void take_once(void)
{
    fy_lock(&guarded->lock);
    if (guarded->inside++)
        explore_fail("two are inside");
    guarded->times++;
    guarded->inside--;
    fy_unlock(&guarded->lock);
}

static void take_twice(void)
{
    take_once();
    take_once();
}

static void check_three(void)
{
    if (guarded->times != 3)
        explore_fail("%u of 3 times", guarded->times);
}

static void check_four(void)
{
    if (guarded->times != 4)
        explore_fail("%u of 4 times", guarded->times);
}

const struct scene scenes[] = {
    {.name = "lock_twice", .setup = setup_early, .threads = {take_twice, take_twice}, .check = check_four},
    {.name = "lock_three", .setup = setup, .threads = {take_once, take_once, take_once}, .check = check_three},
    {0},
};
