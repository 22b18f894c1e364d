/* SPDX-License-Identifier: MIT
 *
 * ferry serve: how it ends.
 *
 * The first SIGINT or SIGTERM closes the listener and lets what is in flight finish; a second one, or the end of the
 * grace time, cuts the rest. The program counts what is in flight itself, because a stream that a timer paces has
 * nothing queued between two pieces, and would look finished to ferry_pool_stop().
 */
#include "serve.h"
#include <errno.h>
#include <signal.h>

bool flight_enter(struct server *server)
{
    unsigned now = atomic_load(&server->in_flight);
    while (now > 0)
        if (atomic_compare_exchange_weak(&server->in_flight, &now, now + 1))
            return true;
    return false;
}

void flight_leave(struct server *server)
{
    if (atomic_fetch_sub(&server->in_flight, 1) == 1)
        ferry_pool_stop(server->pool);
}

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

static void *watch(void *arg)
{
    struct server *server = arg;
    const sigset_t set = stop_signals();
    const struct timespec grace = {
        .tv_sec = server->options.grace_ms / 1000,
        .tv_nsec = server->options.grace_ms % 1000 * 1000000L,
    };
    int signal;
    sigwait(&set, &signal);
    ferry_listener_close(server->listener);
    flight_leave(server);
    while (sigtimedwait(&set, NULL, &grace) < 0 && errno == EINTR) {
    }
    ferry_pool_stop(server->pool); /* whether it is the first or the second call, */
    ferry_pool_stop(server->pool); /* this one cuts */
    return NULL;
}

int watch_begin(struct server *server, pthread_t *thread)
{
    const sigset_t set = stop_signals();
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    return error != 0 ? error : pthread_create(thread, NULL, watch, server);
}

void watch_end(pthread_t thread)
{
    pthread_cancel(thread);
    pthread_join(thread, NULL);
}
