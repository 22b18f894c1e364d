/* SPDX-License-Identifier: MIT
 *
 * More connections than there is room for: limits of a listener and of a source, and no descriptor left to accept with.
 */
#include "case.h"
#include "host.h"
#include "peer.h"
#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
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
    for (size_t i = 0; i < 5; i++) {
        expect_refusal(peer_connect(host.address));
        host_accepts(&host, &stats);
        assert_int_equal(stats.refused, i + 1); /* counted before the peer can see it */
    }
    assert_int_equal(stats.accepted, 3);
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

/* Very many at the same time: each is found again. */
static void many_sources_at_once(void)
{
    enum { SOURCES = 300 };
    static const ferry_service service = {.on_data = echo, .max_conns_per_peer = 1};
    struct host host;
    ferry_accept_stats stats;
    int fds[SOURCES];
    host_start(&host, &service);
    for (size_t i = 0; i < SOURCES; i++) {
        char from[32];
        (void)snprintf(from, sizeof from, "127.1.%zu.%zu", 1 + i / 200, 1 + i % 200);
        const struct peer_options options = {.from = from};
        fds[i] = peer_connect_with(host.address, &options);
        expect_service(fds[i]);
        expect_refusal(peer_connect_with(host.address, &options));
    }
    for (size_t i = 0; i < SOURCES; i++)
        peer_close(fds[i]);
    count_wait(&host.watch.closed, SOURCES);
    host_settle(&host);
    host_accepts(&host, &stats);
    assert_int_equal(stats.refused, SOURCES);
    assert_int_equal(stats.open, 0);
    host_stop(&host);
}

/* IPv6 has addresses, too; all of a Unix socket are one source. */
static void sources_of_each_kind(void)
{
    static const ferry_service service = {.on_data = echo, .max_conns_per_peer = 1};
    char local[64];
    temp_name(local, sizeof local, "unix:@");
    const char *const addresses[] = {"127.0.0.1:0", "[::1]:0", local};
    for (size_t i = 0; i < 3; i++) {
        struct host host;
        case_row("%s", addresses[i]);
        host_init(&host, &service);
        host_run(&host, addresses[i], NULL);
        int fd = peer_connect(host.address);
        expect_service(fd);
        expect_refusal(peer_connect(host.address));
        peer_close(fd);
        count_wait(&host.watch.closed, 1);
        host_stop(&host);
    }
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

/* A process that keeps another, its parent, to fewer descriptors, until it is told to stop by the end of its input. */
struct limiter {
    pid_t pid;
    int fd;
};

static _Noreturn void limit_parent(rlim_t limit, int fd)
{
    const pid_t parent = getppid();
    struct rlimit before;
    char byte = 0;
    bool ok = prlimit(parent, RLIMIT_NOFILE, NULL, &before) == 0;
    const struct rlimit now = {.rlim_cur = limit, .rlim_max = before.rlim_max};
    ok = ok && prlimit(parent, RLIMIT_NOFILE, &now, NULL) == 0 && write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 0 &&
         prlimit(parent, RLIMIT_NOFILE, &before, NULL) == 0;
    _exit(ok ? 0 : 1);
}

/* Not by setrlimit(2): valgrind would keep that to itself, accept what it may not, and close it, and it does not see what
 * io_uring accepts. Nor can it fork while the limit is low. */
static void begin_limit(struct limiter *limiter, rlim_t limit)
{
    int ends[2];
    char byte;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    limiter->pid = fork();
    assert_true(limiter->pid >= 0);
    if (limiter->pid == 0) {
        (void)close(ends[0]);
        limit_parent(limit, ends[1]);
    }
    limiter->fd = ends[0];
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(read(ends[0], &byte, 1), 1);
}

static void end_limit(const struct limiter *limiter)
{
    int status;
    assert_int_equal(close(limiter->fd), 0);
    assert_int_equal(waitpid(limiter->pid, &status, 0), limiter->pid);
    assert_int_equal(status, 0);
}

/* A server with one client, more clients that wait to connect, and no descriptor left. */
struct shortage {
    struct host host;
    struct limiter limiter;
    int early, clients[CLIENTS], spare, fillers[FILLERS];
    size_t filled;
};

/* The clients' sockets exist before the descriptors run out, and connect after. */
static void begin_shortage(struct shortage *shortage)
{
    static const ferry_service service = {.on_data = echo};
    *shortage = (struct shortage){.filled = 0};
    begin_limit(&shortage->limiter, 100);
    host_start(&shortage->host, &service);
    shortage->early = peer_connect(shortage->host.address);
    expect_service(shortage->early);
    for (size_t i = 0; i < CLIENTS; i++)
        shortage->clients[i] = peer_socket(shortage->host.address, NULL);
    shortage->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    shortage->filled = fill_descriptors(shortage->fillers);
    for (size_t i = 0; i < CLIENTS; i++)
        assert_int_equal(peer_join(shortage->clients[i], shortage->host.address), 0);
    wait_until(has_paused, &shortage->host);
}

static void end_shortage(struct shortage *shortage)
{
    for (size_t i = 0; i < shortage->filled; i++)
        assert_int_equal(close(shortage->fillers[i]), 0);
    end_limit(&shortage->limiter);
    peer_close(shortage->early);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (shortage->clients[i] < 0)
            continue;
        expect_service(shortage->clients[i]);
        peer_close(shortage->clients[i]);
    }
    count_wait(&shortage->host.watch.closed, CLIENTS + 1);
    host_settle(&shortage->host);
}

static void without_descriptors_accepting_pauses(void)
{
    static struct shortage shortage;
    ferry_accept_stats stats;
    ferry_log_to(hear, NULL);
    begin_shortage(&shortage);
    expect_idleness(&shortage.host);
    expect_service(shortage.early);
    assert_int_equal(count_get(&paused_lines), 1);
    assert_int_equal(close(shortage.spare), 0);
    end_shortage(&shortage);
    host_accepts(&shortage.host, &stats);
    assert_int_equal(stats.accepted, CLIENTS + 1);
    assert_int_equal(stats.refused, 0);
    host_stop(&shortage.host);
    ferry_log_to(NULL, NULL);
    assert_int_equal(count_get(&paused_lines), 1);
    assert_int_equal(count_get(&resumed_lines), 1);
    assert_int_equal(count_get(&other_lines), 0);
}

/* One descriptor that is free is used for the next in the queue; the end of that one makes room for another. It pauses in
 * between, which is told once, or a server in need would do little else. */
static void a_free_descriptor_is_used(void)
{
    static struct shortage shortage;
    ferry_log_to(hear, NULL);
    begin_shortage(&shortage);
    assert_int_equal(close(shortage.spare), 0);
    expect_service(shortage.clients[0]);
    peer_close(shortage.clients[0]);
    shortage.clients[0] = -1;
    expect_service(shortage.clients[1]);
    end_shortage(&shortage);
    host_stop(&shortage.host);
    ferry_log_to(NULL, NULL);
    assert_int_equal(count_get(&paused_lines), 1);
    assert_int_equal(count_get(&resumed_lines), 1);
}

const struct test_case test_cases[] = {
    {"a_listener_has_a_limit", a_listener_has_a_limit},
    {"a_source_has_a_limit", a_source_has_a_limit},
    {"sources_are_forgotten", sources_are_forgotten},
    {"without_descriptors_accepting_pauses", without_descriptors_accepting_pauses},
    {"a_free_descriptor_is_used", a_free_descriptor_is_used},
    {"many_sources_at_once", many_sources_at_once},
    {"sources_of_each_kind", sources_of_each_kind},
    {NULL, NULL},
};
