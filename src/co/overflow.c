/* SPDX-License-Identifier: MIT
 *
 * co: the handler of SIGSEGV. It runs on a stack of its own, since the coroutine's is used up; faults that are no
 * overflow go where they would have gone without it.
 */
#include "co/overflow.h"

#include "co/co.h"
#include "sys/sys.h"

#include <stdio.h>
#include <stdlib.h>

enum { ALARM_STACK = 64 * 1024 };

static struct sigaction before;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void tell(const struct fy_co *co)
{
    char line[256], name[64];
    int len = snprintf(line, sizeof line, "ferry: coroutine %s overflowed its stack of %zu bytes\n",
                       fy_co_name(co, name, sizeof name), fy_stack_size(co->stack));
    fy_sys_complain(line, (size_t)len);
    abort();
}

static void faulted(int signal, siginfo_t *info, void *context)
{
    const struct fy_co *co = fy_co_self();
    if (co && co->stack && fy_stack_guards(co->stack, info->si_addr))
        tell(co);
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(signal, info, context);
        return;
    }
    fy_sys_sigaction(signal, &before, NULL); /* the fault comes again, to its handler or to the default */
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = faulted, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    fy_sys_sigaction(SIGSEGV, &action, &before);
}

void fy_overflow_enter(struct fy_alarm *alarm)
{
    alarm->stack = malloc(ALARM_STACK);
    if (!alarm->stack)
        return;
    const stack_t ours = {.ss_sp = alarm->stack, .ss_size = ALARM_STACK};
    fy_sys_alarm_stack(&ours, &alarm->before);
    pthread_once(&once, install);
}

void fy_overflow_leave(struct fy_alarm *alarm)
{
    if (!alarm->stack)
        return;
    fy_sys_alarm_stack(&alarm->before, NULL);
    free(alarm->stack);
}
