/* SPDX-License-Identifier: MIT
 *
 * The host: everything is done through the public interface, as a program would.
 */
#include "host.h"

#include "case.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *run(void *arg)
{
    struct host *host = arg;
    assert_int_equal(ferry_pool_run(host->pool), 0);
    return NULL;
}

void host_init(struct host *host, const ferry_service *service)
{
    static const ferry_service none;
    *host = (struct host){.pool = NULL};
    watch_init(&host->watch, service != NULL ? service : &none);
    host->watch.keep = true;
}

void host_run(struct host *host, const char *address, const ferry_pool_options *options)
{
    static const ferry_pool_options one = {.threads = 1};
    host->pool = ferry_pool_new(options != NULL ? options : &one);
    assert_non_null(host->pool);
    if (address != NULL) {
        host->listener = ferry_listen(host->pool, address, &host->watch.service);
        if (host->listener == NULL)
            fail_msg("cannot listen on %s: %s", address, strerror(errno));
        host->address = ferry_listener_address(host->listener);
    }
    assert_int_equal(pthread_create(&host->thread, NULL, run, host), 0);
}

void host_start(struct host *host, const ferry_service *service)
{
    host_init(host, service);
    host_run(host, "127.0.0.1:0", NULL);
}

void host_stop(struct host *host)
{
    ferry_pool_stop(host->pool);
    assert_int_equal(pthread_join(host->thread, NULL), 0);
    ferry_pool_free(host->pool);
    watch_fini(&host->watch);
}

void host_cut(struct host *host)
{
    ferry_pool_stop(host->pool);
    host_stop(host);
}

struct call {
    void (*fn)(void *);
    void *arg;
    struct count done;
};

static void make_call(void *arg)
{
    struct call *call = arg;
    call->fn(call->arg);
    count_add(&call->done, 1);
}

void host_call(struct host *host, unsigned index, void (*fn)(void *), void *arg)
{
    struct call call = {.fn = fn, .arg = arg};
    ferry_post(ferry_pool_loop(host->pool, index), make_call, &call);
    count_wait(&call.done, 1);
}

static void read_counters(void *arg)
{
    ferry_loop_stats(ferry_loop_current(), arg);
}

void host_counters(struct host *host, unsigned index, ferry_loop_counters *counters)
{
    host_call(host, index, read_counters, counters);
}

void host_accepts(struct host *host, ferry_accept_stats *stats)
{
    ferry_listener_stats(host->listener, stats);
}

static void nothing(void *arg)
{
    (void)arg;
}

void host_settle(struct host *host)
{
    for (unsigned i = 0; i < ferry_pool_size(host->pool); i++)
        host_call(host, i, nothing, NULL);
}

void host_on_each_backend(void (*scene)(void))
{
    static const char *const names[] = {"epoll", "uring"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        case_row("%s", names[i]);
        assert_int_equal(setenv("FERRY_BACKEND", names[i], 1), 0);
        scene();
    }
}
