/* SPDX-License-Identifier: MIT
 *
 * co: what ASan, TSan and valgrind have to be told about stacks that are switched. Nothing is left of it in other builds,
 * but for valgrind's requests, a few instructions a stack and none a switch.
 */
#ifndef FY_CO_FIBER_H
#define FY_CO_FIBER_H

#include "base/tools.h"

#include <stddef.h>

#ifdef FY_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FY_TSAN
#include <sanitizer/tsan_interface.h>
#include <signal.h>
#include <string.h>
#endif

/* What one context has for them. */
struct fy_fiber {
#ifdef FY_ASAN
    void *fake; /* ASan's stack for use-after-return */
    const void *bottom;
    size_t size;
#endif
#ifdef FY_TSAN
    void *tsan;
#endif
    char nothing;
};

static inline unsigned fy_fiber_stack(char *bottom, char *top)
{
#ifdef FY_VALGRIND
    return VALGRIND_STACK_REGISTER(bottom, top);
#else
    (void)bottom;
    (void)top;
    return 0;
#endif
}

static inline void fy_fiber_no_stack(unsigned id)
{
#ifdef FY_VALGRIND
    VALGRIND_STACK_DEREGISTER(id);
#else
    (void)id;
#endif
}

static inline void fy_fiber_init(struct fy_fiber *fiber, char *bottom, size_t size)
{
    (void)fiber;
    (void)bottom;
    (void)size;
#ifdef FY_ASAN
    __asan_unpoison_memory_region(bottom, size); /* what its last user left */
    fiber->fake = NULL;
    fiber->bottom = bottom;
    fiber->size = size;
#endif
#ifdef FY_TSAN
    fiber->tsan = __tsan_create_fiber(0);
#endif
}

/* The context of the thread itself, which is about to be left. */
static inline void fy_fiber_of_thread(struct fy_fiber *fiber)
{
    (void)fiber;
#ifdef FY_TSAN
    fiber->tsan = __tsan_get_current_fiber();
#endif
}

static inline void fy_fiber_fini(struct fy_fiber *fiber)
{
    (void)fiber;
#ifdef FY_TSAN
    sigset_t all, before; /* a signal meanwhile would go to the context that is being destroyed, and be lost */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    __tsan_destroy_fiber(fiber->tsan);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
#endif
}

#ifdef FY_TSAN
/* TSan keeps a signal that comes while it cannot be handled, in the context that was running, until that one calls a
 * function which TSan intercepts: so one that is left for long, or for good, would take a SIGTERM with it. */
static inline void fy_fiber_take_signals(void)
{
    size_t (*volatile intercepted)(const char *) = strlen;
    (void)intercepted("");
}
#endif

/* Around a switch: before it in `from` (which ends here when `last`), after it in whoever goes on. */
static inline void fy_fiber_leave(struct fy_fiber *from, struct fy_fiber *to, int last)
{
    (void)from;
    (void)to;
    (void)last;
#ifdef FY_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake, to->bottom, to->size);
#endif
#ifdef FY_TSAN
    fy_fiber_take_signals();
    __tsan_switch_to_fiber(to->tsan, 0);
#endif
}

static inline void fy_fiber_arrive(struct fy_fiber *here, struct fy_fiber *from)
{
    (void)here;
    (void)from;
#ifdef FY_ASAN
    __sanitizer_finish_switch_fiber(here->fake, &from->bottom, &from->size);
#endif
}

#endif
