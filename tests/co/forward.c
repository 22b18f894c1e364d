/* SPDX-License-Identifier: MIT
 *
 * Forwarding in straight lines: the other end of a dialed connection, two coroutines a pair.
 */
#include "case.h"
#include "parked.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { SIZE = 16 * 1024 * 1024 };

/* What a relay does: "TARGET\n" is read, dialed, and all behind "go\n" goes there; the target's answer comes back. */
struct pump {
    ferry_conn *from, *to;
    int forwarded, result;
};

static void pump(void *arg)
{
    struct pump *pump = arg;
    char byte;
    pump->forwarded = ferry_forward(pump->from, pump->to);
    pump->result = (int)ferry_recv(pump->from, &byte, 1);
    if (pump->result == 0)
        ferry_shutdown(pump->to);
    else
        ferry_abort(pump->to);
}

static struct pump there, back; /* of the latest connection */
static struct count relayed;

static void relay(ferry_conn *client, void *arg)
{
    char target[64];
    (void)arg;
    ssize_t n = ferry_recv_until(client, target, sizeof target, "\n");
    assert_true(n > 1);
    target[n - 1] = '\0';
    ferry_conn *server = ferry_dial(target, 0);
    assert_non_null(server);
    ferry_send(client, "ready\n", 6);
    n = ferry_recv_until(client, target, sizeof target, "\n");
    assert_int_equal(n, 3);
    there = (struct pump){.from = client, .to = server};
    back = (struct pump){.from = server, .to = client};
    ferry_co *co = ferry_spawn_as(ferry_loop_current(), pump, &back, &(ferry_spawn_options){.name = "back"});
    pump(&there);
    ferry_join(co);
    ferry_close(server);
    ferry_conn_unref(server);
    count_add(&relayed, 1);
}

struct relay_host {
    struct host host;
    char target[64];
    int listener, near, far;
};

/* A client that has said where it wants to go, and `more` in the same breath. */
static void start_relay(struct relay_host *relay_host, const char *more)
{
    char line[128];
    static const ferry_service service = {.name = "relay", .serve = relay};
    relayed = (struct count){0};
    host_start(&relay_host->host, &service);
    relay_host->listener = peer_listen(relay_host->target, sizeof relay_host->target, 1);
    relay_host->near = peer_connect(relay_host->host.address);
    int n = snprintf(line, sizeof line, "%s\n%s", relay_host->target, more);
    peer_write(relay_host->near, line, (size_t)n);
    relay_host->far = peer_accept(relay_host->listener);
    peer_read(relay_host->near, line, 6);
}

static void stop_relay(struct relay_host *relay_host)
{
    count_wait(&relayed, 1);
    assert_int_equal(there.forwarded, 0);
    assert_int_equal(back.forwarded, 0);
    close(relay_host->near);
    close(relay_host->far);
    close(relay_host->listener);
    host_stop(&relay_host->host);
}

static void *write_stream(void *arg)
{
    const int *fd = arg;
    struct pattern pattern = {.seed = 1};
    peer_write_pattern(*fd, &pattern, scale(SIZE));
    peer_half_close(*fd);
    return NULL;
}

static void one_way(int from, int to)
{
    struct pattern pattern = {.seed = 1};
    pthread_t writer;
    uint64_t total;
    pthread_create(&writer, NULL, write_stream, &from);
    assert_int_equal(peer_read_to_end(to, &pattern, &total), 0);
    assert_int_equal(total, scale(SIZE));
    pthread_join(writer, NULL);
}

static void there_and_back(void)
{
    struct relay_host host;
    start_relay(&host, "go\n");
    one_way(host.near, host.far);
    one_way(host.far, host.near);
    stop_relay(&host);
    assert_int_equal(there.result, 0);
    assert_int_equal(back.result, 0);
}

/* What came with the line is forwarded, also when the end came with it. */
static void rest_first(bool at_once)
{
    struct relay_host host;
    char bytes[16];
    start_relay(&host, at_once ? "go\nand more" : "");
    if (!at_once)
        peer_write(host.near, "go\nand more", 11); /* the coroutine is resumed with all of it in hand */
    peer_half_close(host.near);
    peer_read(host.far, bytes, 8);
    assert_memory_equal(bytes, "and more", 8);
    peer_expect_eof(host.far);
    peer_write(host.far, "reply", 5);
    peer_half_close(host.far);
    peer_read(host.near, bytes, 5);
    peer_expect_eof(host.near);
    stop_relay(&host);
}

static void what_came_before_goes_first(void)
{
    rest_first(true);
    rest_first(false);
}

static void a_reset_is_an_error(void)
{
    struct relay_host host;
    char byte;
    start_relay(&host, "go\nx");
    peer_read(host.far, &byte, 1);
    wait_parked_many(&host.host, NULL, "ferry_recv", 2);
    peer_reset(host.far);
    host.far = -1;
    assert_int_equal(peer_read_to_end(host.near, NULL, NULL), ECONNRESET);
    stop_relay(&host);
    assert_reason(back.result, -ECONNRESET);
    assert_reason(there.result, -ECONNABORTED);
}

const struct test_case test_cases[] = {
    {"there_and_back", there_and_back},
    {"what_came_before_goes_first", what_came_before_goes_first},
    {"a_reset_is_an_error", a_reset_is_an_error},
    {NULL, NULL},
};
