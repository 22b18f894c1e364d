/* SPDX-License-Identifier: MIT
 *
 * server: SIGINT and SIGTERM, for the one pool of the process that asked for them.
 */
#include "server/pool.h"
#include "sys/sys.h"

#include <errno.h>
#include <sched.h>

static _Atomic(ferry_pool *) owner;
static atomic_int inside; /* handlers that may have the owner in hand */
static struct sigaction before_int, before_term;

static void stop(int signal)
{
    (void)signal;
    atomic_fetch_add(&inside, 1);
    ferry_pool *pool = atomic_load(&owner);
    if (pool)
        ferry_pool_stop(pool);
    atomic_fetch_sub(&inside, 1);
}

int fy_signals_claim(ferry_pool *pool)
{
    ferry_pool *nobody = NULL;
    if (!atomic_compare_exchange_strong(&owner, &nobody, pool))
        return -EBUSY;
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    fy_sys_sigaction(SIGINT, &action, &before_int);
    fy_sys_sigaction(SIGTERM, &action, &before_term);
    return 0;
}

void fy_signals_release(ferry_pool *pool)
{
    if (atomic_load(&owner) != pool)
        return;
    fy_sys_sigaction(SIGINT, &before_int, NULL);
    fy_sys_sigaction(SIGTERM, &before_term, NULL);
    atomic_store(&owner, NULL);
    while (atomic_load(&inside) > 0)
        sched_yield();
}
