/* SPDX-License-Identifier: MIT
 *
 * Looking at a loop: the dump, the counters, the watchdog.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The dump. */

static volatile char *deepest;

/* Of a size known only when it runs: ASan, which looks for uses after return, puts all else elsewhere. */
static void touch_and_sleep(void *arg)
{
    volatile size_t size = 40 * 1024;
    volatile char bytes[size];
    (void)arg;
    for (size_t i = 0; i < size; i += 1024)
        bytes[i] = 1;
    deepest = &bytes[0];
    (void)ferry_sleep(3600 * 1000);
}

/* The line of the dump that begins so, from malloc(). */
static char *line_of(struct host *host, const char *beginning)
{
    char *text = dump_of(host, 0);
    char *line = strstr(text, beginning);
    case_row("the line of '%s'", beginning);
    assert_non_null(line);
    char *end = strchr(line, '\n');
    assert_non_null(end);
    char *copy = strndup(line, (size_t)(end - line));
    free(text);
    return copy;
}

/* The number in the line that stands behind these words. */
static double number_after(const char *line, const char *words)
{
    const char *found = strstr(line, words);
    char *end;
    assert_non_null(found);
    double number = strtod(found + strlen(words), &end);
    assert_ptr_not_equal(end, found + strlen(words));
    return number;
}

static void a_dump_tells_where_they_are(void)
{
    struct host host;
    host_bare(&host, 1);
    uint64_t begin = now_ms();
    ferry_co *co = start(&host, 0, "sleeping beauty", touch_and_sleep, NULL);
    wait_parked(&host, "sleeping beauty", "ferry_sleep");
    sleep_ms(20);
    char *line = line_of(&host, "  coroutine sleeping beauty parked in ferry_sleep");
    double most = (double)(now_ms() - begin + 1) / 1000.0;
    double seconds = number_after(line, " for ");
    double touched = number_after(line, ", stack ");
    assert_true(seconds >= 0.018 && seconds <= most);
    assert_true(touched > 40 * 1024 && touched <= 64 * 1024);
    assert_true(number_after(line, " of ") == 64 * 1024);
    free(line);
    ferry_cancel(co);
    assert_int_equal(ferry_join(co), 0);
    assert_int_equal(parked(&host, 0, NULL, NULL), 0);
    host_stop(&host);
}

static void shallow(void *arg)
{
    (void)arg;
}

static void a_census_tells_how_deep_they_went(void)
{
    struct host host;
    host_bare(&host, 1);
    for (size_t i = 0; i < 10; i++) {
        ferry_co *co = start(&host, 0, "deep", touch_and_sleep, NULL);
        ferry_cancel(co);
        assert_int_equal(ferry_join(co), 0);
        assert_int_equal(ferry_join(start(&host, 0, "shallow", shallow, NULL)), 0);
    }
    char *line = line_of(&host, "  entry deep: ");
    assert_true(number_after(line, "deep: ") == 10);
    double stack = number_after(line, "spawned, deepest stack ");
    assert_true(stack > 40 * 1024 && stack <= 64 * 1024);
    free(line);
    line = line_of(&host, "  entry shallow: ");
    assert_true(number_after(line, "shallow: ") == 10);
    stack = number_after(line, "spawned, deepest stack ");
    assert_true(stack > 0 && stack <= 24 * 1024);
    free(line);
    host_stop(&host);
}

/* A connection's coroutine has the service's name, and the dump has the connection it waits on. */
static void wait_for_byte(ferry_conn *conn, void *arg)
{
    char byte;
    (void)arg;
    (void)ferry_recv(conn, &byte, 1);
}

static void a_service_names_its_coroutines(void)
{
    struct host host;
    char expected[100];
    host_start(&host, &(ferry_service){.serve = wait_for_byte, .name = "butler", .stack_size = 32 * 1024});
    int fd = peer_connect(host.address);
    wait_parked(&host, "butler", "ferry_recv");
    (void)snprintf(expected, sizeof expected, "  coroutine butler parked in ferry_recv on %p",
                   (void *)watch_conn(&host.watch, 0));
    char *line = line_of(&host, expected);
    assert_non_null(strstr(line, " of 32768"));
    free(line);
    peer_close(fd);
    host_stop(&host);
}

/* The counters. */
static void echo(ferry_conn *conn, void *arg)
{
    char bytes[1000];
    ssize_t n;
    (void)arg;
    while ((n = ferry_recv(conn, bytes, sizeof bytes)) > 0)
        ferry_send(conn, bytes, (size_t)n);
}

static void bytes_and_coroutines_are_counted(void)
{
    struct host host;
    ferry_loop_counters counters;
    char bytes[3000] = "";
    host_start(&host, &(ferry_service){.serve = echo});
    int fds[3];
    for (size_t i = 0; i < 3; i++) {
        fds[i] = peer_connect(host.address);
        peer_write(fds[i], bytes, sizeof bytes);
        peer_read(fds[i], bytes, sizeof bytes);
    }
    for (size_t gone = 0; gone < 4; gone++) { /* those of closed connections stay in */
        wait_parked_many(&host, NULL, "ferry_recv", 3 - gone);
        host_counters(&host, 0, &counters);
        assert_int_equal(counters.received, 9000);
        assert_int_equal(counters.written, 9000);
        assert_int_equal(counters.conns, 3 - gone);
        assert_int_equal(counters.coroutines, 3 - gone);
        if (gone < 3) {
            peer_close(fds[gone]);
            count_wait(&host.watch.closed, gone + 1);
            host_settle(&host);
        }
    }
    host_stop(&host);
}

static void notice(void *arg)
{
    count_add(arg, 1);
}

/* The timer is due meanwhile. */
static void arm_and_hold(void *fired)
{
    assert_non_null(ferry_after(ferry_loop_current(), 10, notice, fired));
    sleep_ms(60);
}

static void how_late_a_timer_was(void)
{
    struct host host;
    ferry_loop_counters counters;
    struct count fired = {0};
    host_bare(&host, 1);
    host_call(&host, 0, arm_and_hold, &fired);
    count_wait(&fired, 1);
    host_counters(&host, 0, &counters);
    assert_true(counters.lag_max_ns >= 20 * 1000000U);
    assert_true(counters.lag_ns <= counters.lag_max_ns);
    assert_int_equal(counters.stalls, 0); /* nobody watches */
    host_stop(&host);
}

/* The watchdog. */
/* Long enough that a loaded machine does not make a short step a long one. */
enum { LIMIT_MS = 500, MANY_LIMIT_MS = 1000 };

struct reports {
    pthread_mutex_t lock;
    char lines[16][256];
    struct count count;
};

static void report(ferry_log_level level, const char *line, void *arg)
{
    struct reports *reports = arg;
    assert_int_equal(level, FERRY_LOG_WARNING);
    (void)pthread_mutex_lock(&reports->lock);
    uint64_t at = count_get(&reports->count);
    if (at < 16)
        (void)snprintf(reports->lines[at], sizeof reports->lines[at], "%s", line);
    count_add(&reports->count, 1);
    (void)pthread_mutex_unlock(&reports->lock);
}

static struct reports *the_reports;

/* Holds the loop until the watchdog has said so, and then some: it must not say so twice. */
static void hold(uint64_t before)
{
    count_wait(&the_reports->count, before + 1);
    sleep_ms(2 * LIMIT_MS);
}

static void hold_in_post(void *arg)
{
    (void)arg;
    hold(0);
}

static void hold_in_timer(void *arg)
{
    hold(1);
    count_add(arg, 1);
}

static void hold_in_coroutine(void *arg)
{
    (void)arg;
    ferry_yield();
    hold(2);
    ferry_yield();
}

static size_t hold_in_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    hold(3);
    ferry_send(conn, data, len);
    return len;
}

static void expect_report(const struct reports *reports, size_t at, const char *what, void (*function)(void *))
{
    char address[32];
    case_row("report %zu: %s", at, reports->lines[at]);
    assert_non_null(strstr(reports->lines[at], "loop 0 has been held for "));
    assert_non_null(strstr(reports->lines[at], what));
    (void)snprintf(address, sizeof address, "(%p)", (void *)(uintptr_t)function);
    if (function != NULL)
        assert_non_null(strstr(reports->lines[at], address));
}

static void the_watchdog_names_who_holds_the_loop(void)
{
    static struct reports reports = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static void (*post)(void *) = hold_in_post;
    struct host host;
    struct count fired = {0};
    ferry_loop_counters counters;
    char byte;
    the_reports = &reports;
    ferry_log_to(report, &reports);
    host_init(&host, &(ferry_service){.on_data = hold_in_data});
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .watchdog_ms = LIMIT_MS});
    ferry_post(ferry_pool_loop(host.pool, 0), post, NULL);
    host_settle(&host);
    assert_non_null(ferry_after(ferry_pool_loop(host.pool, 0), 1, hold_in_timer, &fired));
    count_wait(&fired, 1);
    run_through(&host, 0, hold_in_coroutine, NULL);
    int fd = peer_connect(host.address);
    peer_write(fd, "x", 1);
    peer_read(fd, &byte, 1);
    host_settle(&host);
    sleep_ms(2 * LIMIT_MS); /* it only waits now, and that is not told */
    host_counters(&host, 0, &counters);
    peer_close(fd);
    host_stop(&host);
    ferry_log_to(NULL, NULL);
    assert_int_equal(count_get(&reports.count), 4);
    assert_int_equal(counters.stalls, 4);
    expect_report(&reports, 0, "post", hold_in_post);
    expect_report(&reports, 1, "timer", hold_in_timer);
    expect_report(&reports, 2, "coroutine", hold_in_coroutine);
    expect_report(&reports, 3, "on_data", NULL); /* the watch's own function stands before it */
}

/* Many short steps in a row are not one that is long. */
static void yield_for_long(void *arg)
{
    uint64_t end = now_ms() + MANY_LIMIT_MS * 3 / 2;
    (void)arg;
    while (now_ms() < end)
        ferry_yield();
}

static void many_short_steps_are_not_a_long_one(void)
{
    static struct reports reports = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct host host;
    ferry_log_to(report, &reports);
    host_init(&host, NULL);
    host_run(&host, NULL, &(ferry_pool_options){.threads = 1, .watchdog_ms = MANY_LIMIT_MS});
    run_through(&host, 0, yield_for_long, NULL);
    host_stop(&host);
    ferry_log_to(NULL, NULL);
    assert_int_equal(count_get(&reports.count), 0);
}

const struct test_case test_cases[] = {
    {"a_dump_tells_where_they_are", a_dump_tells_where_they_are},
    {"a_census_tells_how_deep_they_went", a_census_tells_how_deep_they_went},
    {"a_service_names_its_coroutines", a_service_names_its_coroutines},
    {"bytes_and_coroutines_are_counted", bytes_and_coroutines_are_counted},
    {"how_late_a_timer_was", how_late_a_timer_was},
    {"the_watchdog_names_who_holds_the_loop", the_watchdog_names_who_holds_the_loop},
    {"many_short_steps_are_not_a_long_one", many_short_steps_are_not_a_long_one},
    {NULL, NULL},
};
