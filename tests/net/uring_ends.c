/* SPDX-License-Identifier: MIT
 *
 * Ends while operations are in the kernel: a connection's, whose descriptor number is the next one's at once; a
 * listener's, whose port is to be free; a pool's, on whatever thread. Over each backend, since what is promised is the
 * same.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Messages say who sends them and how it is to end: by the service's hand, in its callback. */
struct message {
    uint32_t sender;
    char act; /* 'e': be echoed, 'c': be closed, 'a': be aborted */
    char pad[3];
};

static size_t answer(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    size_t used = 0;
    for (; len - used >= sizeof(struct message); used += sizeof(struct message)) {
        struct message message;
        memcpy(&message, (const char *)data + used, sizeof message);
        uintptr_t sender = (uintptr_t)ferry_conn_context(conn);
        assert_true(sender == 0 || sender == message.sender);
        ferry_conn_set_context(conn, (void *)(uintptr_t)message.sender, NULL); /* NOLINT: a number is all it needs */
        if (message.act == 'e')
            ferry_send(conn, &message, sizeof message);
        else if (message.act == 'c')
            ferry_close(conn);
        else
            ferry_abort(conn);
        if (message.act != 'e')
            return len;
    }
    return used;
}

static void say(int fd, uint32_t sender, char act)
{
    const struct message message = {.sender = sender, .act = act};
    peer_write(fd, &message, sizeof message);
}

static void expect_echo(int fd, uint32_t sender)
{
    struct message message;
    peer_read(fd, &message, sizeof message);
    assert_int_equal(message.sender, sender);
    assert_int_equal(message.act, 'e');
}

/* Each takes the number of the one before it, which has bytes behind its last message, for nobody to see. */
static void one_after_the_other(void)
{
    static const ferry_service service = {.on_data = answer};
    struct host host;
    host_init(&host, &service);
    host.watch.keep = false;
    host_run(&host, "127.0.0.1:0", NULL);
    size_t rounds = scale(2000);
    int fd = peer_connect(host.address);
    for (uint32_t i = 1; i <= rounds; i++) {
        char act = i % 2 == 0 ? 'c' : 'a';
        say(fd, i, 'e');
        expect_echo(fd, i);
        int next = peer_socket(host.address, NULL);
        say(fd, i, act);
        bool told = i % 3 == 0 && send(fd, "for nobody", 10, MSG_NOSIGNAL) < 0; /* a reset is told once */
        assert_int_equal(peer_join(next, host.address), 0);
        int end = told ? ECONNRESET : peer_read_to_end(fd, NULL, NULL);
        if (i % 3 != 0)
            assert_int_equal(end, act == 'a' ? ECONNRESET : 0);
        peer_close(fd);
        fd = next;
    }
    peer_close(fd);
    count_wait(&host.watch.closed, rounds + 1);
    host_stop(&host);
}

static void a_number_is_the_next_ones(void)
{
    host_on_each_backend(one_after_the_other);
}

/* A receive is armed and nothing comes: the end reaches the peer nevertheless. By another thread's hand. */
static void at_rest(void)
{
    static const ferry_service service = {.on_data = answer};
    struct host host;
    host_start(&host, &service);
    for (size_t i = 0; i < scale(300); i++) {
        int fd = peer_connect(host.address);
        ferry_conn *conn = watch_conn(&host.watch, i);
        if (i % 3 != 0)
            host_settle(&host);
        if (i % 2 == 0)
            ferry_abort(conn);
        else
            ferry_close(conn);
        assert_int_equal(peer_read_to_end(fd, NULL, NULL), i % 2 == 0 ? ECONNRESET : 0);
        peer_close(fd);
        count_wait(&host.watch.closed, i + 1);
    }
    host_stop(&host);
}

static void an_end_is_seen_though_a_receive_is_armed(void)
{
    host_on_each_backend(at_rest);
}

/* An address that other tests, which may run at the same time, do not use. */
static const char *own_address(void)
{
    static char address[64];
    (void)snprintf(address, sizeof address, "127.77.%u.%u:0", (unsigned)getpid() >> 8 & 255, (unsigned)getpid() & 255);
    return address;
}

static void listen_again(const char *address)
{
    static const ferry_service service = {.on_data = answer};
    struct host host;
    host_init(&host, &service);
    host_run(&host, address, NULL);
    int fd = peer_connect(address);
    say(fd, 1, 'e');
    expect_echo(fd, 1);
    peer_close(fd);
    count_wait(&host.watch.closed, 1);
    host_stop(&host);
}

static bool deaf(void *arg)
{
    int fd = peer_socket(arg, NULL);
    int error = peer_join(fd, arg);
    peer_close(fd);
    return error == -ECONNREFUSED;
}

static void close_and_listen_again(void)
{
    static const ferry_service service = {.on_data = answer};
    for (size_t i = 0; i < scale(30); i++) {
        struct host host;
        char address[64];
        host_init(&host, &service);
        host_run(&host, own_address(), NULL);
        (void)snprintf(address, sizeof address, "%s", host.address);
        if (i % 3 != 0)
            host_settle(&host);
        if (i % 2 == 0) {
            ferry_listener_close(host.listener);
            wait_until(deaf, address);
            listen_again(address);
        }
        host_stop(&host);
        listen_again(address);
    }
}

static void a_port_is_free_again(void)
{
    host_on_each_backend(close_and_listen_again);
}

/* A pool that is full of life is stopped at once and freed: by the thread that ran it, or by another, as host_cut()
 * does. */
enum { PEERS = 20, LARGE = 2 * 1024 * 1024 };

static size_t send_much(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    static const char large[LARGE];
    (void)data;
    (void)arg;
    ferry_send(conn, "small", 5);
    ferry_send(conn, large, sizeof large);
    return len;
}

static const ferry_service sending = {.on_data = send_much};
static const struct peer_options tiny = {.receive_buffer = PEER_TINY_WINDOW};

static void connect_peers(const struct host *host, int fds[PEERS])
{
    for (size_t i = 0; i < PEERS; i++) {
        fds[i] = peer_connect_with(host->address, &tiny);
        peer_write(fds[i], "go", 2);
    }
}

static void close_peers(const int fds[PEERS])
{
    for (size_t i = 0; i < PEERS; i++)
        peer_close(fds[i]);
}

static void cut_while_sending(void)
{
    for (size_t i = 0; i < scale(20); i++) {
        struct host host;
        int fds[PEERS];
        host_init(&host, &sending);
        host_run(&host, "127.0.0.1:0", &(ferry_pool_options){.threads = 1 + (unsigned)i % 2});
        connect_peers(&host, fds);
        if (i % 4 != 0)
            count_wait(&host.watch.data, i % 4 == 1 ? 1 : PEERS);
        host_cut(&host);
        close_peers(fds);
    }
}

static void a_pool_is_freed_by_another_thread(void)
{
    host_on_each_backend(cut_while_sending);
}

/* It never ran, or turned as often as somebody liked; who connected meanwhile is cut, and each that was opened is told.
 * The turns are a thread's of its own: the kernel may disturb that once more when the ring is closed. */
struct turning {
    struct host host;
    size_t turns;
    bool frees;
};

static void *turn(void *arg)
{
    struct turning *turning = arg;
    for (size_t i = 0; i < turning->turns; i++)
        assert_int_equal(ferry_loop_turn(ferry_pool_loop(turning->host.pool, 0), 0), 1);
    if (turning->frees)
        ferry_pool_free(turning->host.pool);
    return NULL;
}

static void turn_and_free(size_t turns, bool elsewhere)
{
    struct turning turning = {.turns = turns, .frees = !elsewhere};
    struct host *host = &turning.host;
    int fds[PEERS];
    pthread_t thread;
    host_init(host, &sending);
    host->pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    assert_non_null(host->pool);
    host->listener = ferry_listen(host->pool, "127.0.0.1:0", &host->watch.service);
    assert_non_null(host->listener);
    host->address = ferry_listener_address(host->listener);
    connect_peers(host, fds);
    assert_int_equal(pthread_create(&thread, NULL, turn, &turning), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (elsewhere)
        ferry_pool_free(host->pool);
    watch_fini(&host->watch);
    close_peers(fds);
}

/* They come while the loop is held, with the stop behind them: nobody has asked for them any more. Each is told its
 * end. */
static void wait_for(void *count)
{
    count_wait(count, 1);
}

static void connect_and_stop(void)
{
    for (size_t round = 0; round < scale(20); round++) {
        struct host host;
        struct count connected = {0};
        int fds[PEERS];
        host_start(&host, &sending);
        host_settle(&host);
        ferry_post(ferry_pool_loop(host.pool, 0), wait_for, &connected);
        for (size_t i = 0; i < PEERS; i++)
            fds[i] = peer_connect(host.address);
        ferry_pool_stop(host.pool);
        count_add(&connected, 1);
        host_stop(&host);
        for (size_t i = 0; i < PEERS; i++) {
            int end = peer_read_to_end(fds[i], NULL, NULL);
            assert_true(end == 0 || end == ECONNRESET);
            peer_close(fds[i]);
        }
    }
}

static void who_comes_as_it_stops_is_told_the_end(void)
{
    host_on_each_backend(connect_and_stop);
}

static void after_each_number_of_turns(void)
{
    for (size_t turns = 0; turns < scale(10); turns++)
        for (int elsewhere = 0; elsewhere < 2; elsewhere++)
            turn_and_free(turns, elsewhere != 0);
}

static void a_pool_is_freed_after_some_turns(void)
{
    host_on_each_backend(after_each_number_of_turns);
}

const struct test_case test_cases[] = {
    {"a_number_is_the_next_ones", a_number_is_the_next_ones},
    {"an_end_is_seen_though_a_receive_is_armed", an_end_is_seen_though_a_receive_is_armed},
    {"a_port_is_free_again", a_port_is_free_again},
    {"a_pool_is_freed_by_another_thread", a_pool_is_freed_by_another_thread},
    {"who_comes_as_it_stops_is_told_the_end", who_comes_as_it_stops_is_told_the_end},
    {"a_pool_is_freed_after_some_turns", a_pool_is_freed_after_some_turns},
    {NULL, NULL},
};
