/* SPDX-License-Identifier: MIT
 *
 * More connections than there is room for: limits of a listener and of a source, and no descriptor left to accept with.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

static void expect_service(int fd)
{
    char bytes[2];
    peer_write(fd, "hi", 2);
    peer_read(fd, bytes, 2);
    assert_memory_equal(bytes, "hi", 2);
}

/* The connection is made, by the kernel, and ends at once. */
static void expect_refusal(int fd)
{
    uint64_t total;
    int end = peer_read_to_end(fd, NULL, &total);
    assert_true(end == 0 || end == ECONNRESET);
    assert_int_equal(total, 0);
    peer_close(fd);
}

static void a_listener_has_a_limit(void)
{
    static const ferry_service service = {.on_data = echo, .max_conns = 3};
    struct host host;
    ferry_accept_stats stats;
    int fds[3];
    host_init(&host, &service);
    host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 2});
    for (size_t i = 0; i < 3; i++)
        fds[i] = peer_connect(host.address);
    count_wait(&host.watch.opened, 3);
    for (size_t i = 0; i < 5; i++)
        expect_refusal(peer_connect(host.address));
    host_accepts(&host, &stats);
    assert_int_equal(stats.accepted, 3);
    assert_int_equal(stats.refused, 5);
    assert_int_equal(stats.open, 3);
    for (size_t i = 0; i < 3; i++) {
        expect_service(fds[i]);
        peer_close(fds[i]);
    }
    for (size_t i = 0; i < 10; i++) { /* each that closes makes room */
        count_wait(&host.watch.closed, 3 + i);
        host_settle(&host); /* until on_close has returned, it is counted */
        fds[0] = peer_connect(host.address);
        expect_service(fds[0]);
        peer_close(fds[0]);
    }
    count_wait(&host.watch.closed, 13);
    host_settle(&host);
    host_accepts(&host, &stats);
    assert_int_equal(stats.accepted, 13);
    assert_int_equal(stats.refused, 5);
    assert_int_equal(stats.open, 0);
    host_stop(&host);
}

static void a_source_has_a_limit(void)
{
    static const ferry_service service = {.on_data = echo, .max_conns_per_peer = 2};
    static const struct peer_options first = {.from = "127.0.0.1"};
    static const struct peer_options second = {.from = "127.0.0.2"};
    struct host host;
    ferry_accept_stats stats;
    int fds[4];
    host_start(&host, &service);
    for (size_t i = 0; i < 4; i++) {
        fds[i] = peer_connect_with(host.address, i < 2 ? &first : &second);
        expect_service(fds[i]);
    }
    expect_refusal(peer_connect_with(host.address, &first));
    expect_refusal(peer_connect_with(host.address, &second));
    peer_close(fds[0]);
    count_wait(&host.watch.closed, 1);
    host_settle(&host);
    expect_refusal(peer_connect_with(host.address, &second));
    fds[0] = peer_connect_with(host.address, &first);
    expect_service(fds[0]);
    for (size_t i = 0; i < 4; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, 5);
    host_settle(&host);
    host_accepts(&host, &stats);
    assert_int_equal(stats.accepted, 5);
    assert_int_equal(stats.refused, 3);
    assert_int_equal(stats.open, 0);
    host_stop(&host);
}

/* Many sources come and go: what is remembered of them is forgotten. */
static void sources_are_forgotten(void)
{
    static const ferry_service service = {.on_data = echo, .max_conns_per_peer = 1};
    struct host host;
    host_start(&host, &service);
    size_t sources = scale(200);
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < sources; i++) {
            char from[32];
            (void)snprintf(from, sizeof from, "127.0.%zu.%zu", 1 + i / 200, 1 + i % 200);
            int fd = peer_connect_with(host.address, &(struct peer_options){.from = from});
            expect_service(fd);
            peer_close(fd);
        }
        count_wait(&host.watch.closed, (round + 1) * sources);
    }
    host_stop(&host);
}

enum { CLIENTS = 8, FILLERS = 256 };

static struct count paused_lines, resumed_lines, other_lines;

static void hear(ferry_log_level level, const char *line, void *arg)
{
    (void)arg;
    assert_null(strchr(line, '\n'));
    if (strstr(line, "paused") != NULL)
        count_add(&paused_lines, 1);
    else if (level == FERRY_LOG_INFO)
        count_add(&resumed_lines, 1);
    else
        count_add(&other_lines, 1);
}

/* Takes every descriptor that is left below the limit. */
static size_t fill_descriptors(int fillers[FILLERS])
{
    size_t count = 0;
    while (count < FILLERS && (fillers[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
        count++;
    assert_int_equal(errno, EMFILE);
    return count;
}

static uint64_t cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000U +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000U;
}

static bool has_paused(void *arg)
{
    ferry_accept_stats stats;
    host_accepts(arg, &stats);
    return stats.pauses > 0;
}

/* Half a second without a descriptor costs next to nothing: a loop that spins would take all of it. */
static void expect_idleness(struct host *host)
{
    ferry_loop_counters before;
    ferry_loop_counters after;
    host_counters(host, 0, &before);
    uint64_t cpu = cpu_ms();
    sleep_ms(500);
    assert_in_range(cpu_ms() - cpu, 0, 250);
    host_counters(host, 0, &after);
    assert_in_range(after.turns - before.turns, 0, 100);
}

static void set_limit(rlim_t limit)
{
    struct rlimit now;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    now.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
}

static void expect_all_served(struct host *host, int clients[CLIENTS])
{
    for (size_t i = 0; i < CLIENTS; i++) {
        expect_service(clients[i]);
        peer_close(clients[i]);
    }
    count_wait(&host->watch.closed, CLIENTS + 1);
}

/* The clients' sockets exist before the descriptors run out, and connect after. */
static void without_descriptors_accepting_pauses(void)
{
    static const ferry_service service = {.on_data = echo};
    struct host host;
    struct rlimit limit;
    ferry_accept_stats stats;
    int clients[CLIENTS];
    int fillers[FILLERS];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ferry_log_to(hear, NULL);
    host_start(&host, &service);
    int early = peer_connect(host.address);
    expect_service(early);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = peer_socket(host.address, NULL);
    set_limit(100);
    size_t filled = fill_descriptors(fillers);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(peer_join(clients[i], host.address), 0);
    wait_until(has_paused, &host);
    expect_idleness(&host);
    expect_service(early);
    assert_int_equal(count_get(&host.watch.opened), 1);
    assert_int_equal(count_get(&paused_lines), 1);
    for (size_t i = 0; i < filled; i++)
        assert_int_equal(close(fillers[i]), 0);
    set_limit(limit.rlim_cur);
    peer_close(early);
    expect_all_served(&host, clients);
    host_accepts(&host, &stats);
    assert_int_equal(stats.accepted, CLIENTS + 1);
    assert_int_equal(stats.refused, 0);
    host_stop(&host);
    ferry_log_to(NULL, NULL);
    assert_int_equal(count_get(&paused_lines), 1);
    assert_int_equal(count_get(&other_lines), 0);
}

/* One connection that closes is one descriptor that is free: the next in the queue gets it, and so on. */
static void a_free_descriptor_is_used(void)
{
    static const ferry_service service = {.on_data = echo};
    struct host host;
    struct rlimit limit;
    int clients[CLIENTS];
    int fillers[FILLERS];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    host_start(&host, &service);
    int early = peer_connect(host.address);
    expect_service(early);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = peer_socket(host.address, NULL);
    int spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    set_limit(100);
    size_t filled = fill_descriptors(fillers);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(peer_join(clients[i], host.address), 0);
    wait_until(has_paused, &host);
    assert_int_equal(close(spare), 0);
    expect_service(clients[0]);
    peer_write(clients[1], "hi", 2);
    peer_close(clients[0]); /* frees two: the client's own and the server's */
    char bytes[2];
    peer_read(clients[1], bytes, 2);
    for (size_t i = 0; i < filled; i++)
        assert_int_equal(close(fillers[i]), 0);
    set_limit(limit.rlim_cur);
    for (size_t i = 1; i < CLIENTS; i++) {
        expect_service(clients[i]);
        peer_close(clients[i]);
    }
    peer_close(early);
    count_wait(&host.watch.closed, CLIENTS + 1);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"a_listener_has_a_limit", a_listener_has_a_limit},
    {"a_source_has_a_limit", a_source_has_a_limit},
    {"sources_are_forgotten", sources_are_forgotten},
    {"without_descriptors_accepting_pauses", without_descriptors_accepting_pauses},
    {"a_free_descriptor_is_used", a_free_descriptor_is_used},
    {NULL, NULL},
};
