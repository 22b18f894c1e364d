/* SPDX-License-Identifier: MIT
 *
 * The stage: ends, turns and the reckoning.
 */
#include "stage.h"

#include "fault.h"
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { CALM_MS = 40, BUFFER = 64 * 1024, READS = 16, LINGER_MS = 1000 };

/* Ends. */

static struct end *add_end(struct stage *stage, int fd)
{
    assert_true(stage->count < STAGE_ENDS);
    struct end *end = &stage->ends[stage->count++];
    *end = (struct end){.fd = fd, .gone = fd < 0, .error = fd < 0 ? ECONNREFUSED : 0};
    end->out.seed = 100 + (uint64_t)stage->count;
    end->in.seed = 1;
    return end;
}

/* The address as ferry_listener_address() gives it: of IPv4, or a path. */
static socklen_t parse(const char *address, struct sockaddr_storage *storage)
{
    if (strncmp(address, "unix:", 5) == 0) {
        struct sockaddr_un *un = (struct sockaddr_un *)storage;
        *un = (struct sockaddr_un){.sun_family = AF_UNIX};
        (void)snprintf(un->sun_path, sizeof un->sun_path, "%s", address + 5);
        return sizeof *un;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)storage;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    in->sin_port = htons((uint16_t)strtoul(strrchr(address, ':') + 1, NULL, 10));
    return sizeof *in;
}

struct end *stage_end(struct stage *stage, int receive_buffer)
{
    struct sockaddr_storage address;
    socklen_t len = parse(stage->address, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (receive_buffer > 0)
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer), 0);
    if (connect(fd, (struct sockaddr *)&address, len) != 0) {
        assert_int_equal(close(fd), 0);
        fd = -1;
    } else {
        assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    }
    return add_end(stage, fd);
}

void stage_echoed_end(struct stage *stage, uint64_t bytes)
{
    struct end *end = stage_end(stage, 0);
    end->out.seed = end->in.seed;
    end->goal = end->expected = bytes;
}

static void put(struct end *end)
{
    char buffer[BUFFER];
    while (end->out.at < end->goal) {
        struct pattern next = end->out;
        size_t len = end->goal - next.at < sizeof buffer ? (size_t)(end->goal - next.at) : sizeof buffer;
        pattern_fill(&next, buffer, len);
        ssize_t n = send(end->fd, buffer, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            end->failed = errno; /* the input will not say it again */
            end->goal = end->out.at;
        } else {
            end->out.at += (uint64_t)n;
        }
    }
    if (end->no_more && !end->shut) {
        end->shut = true;
        (void)shutdown(end->fd, SHUT_WR);
    }
}

static void take(struct end *end, const char *data, size_t len)
{
    if (end->take != NULL)
        end->take(end, data, len);
    else
        pattern_check(&end->in, data, len);
    if (end->echoes)
        end->goal = end->in.at;
}

static void get(struct end *end)
{
    char buffer[BUFFER];
    for (int reads = 0; reads < READS && !end->gone; reads++) {
        ssize_t n = recv(end->fd, buffer, sizeof buffer, 0);
        if (n > 0) {
            take(end, buffer, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EAGAIN)
            return;
        end->gone = true;
        end->error = n < 0 ? errno : end->failed;
        end->no_more = end->no_more || end->echoes;
    }
}

/* One that holds goes on when there is nothing to wait for any more. */
static bool holds(struct end *end)
{
    struct pollfd poller = {.fd = end->fd};
    if (end->holds && poll(&poller, 1, 0) == 1)
        end->holds = false;
    return end->holds;
}

static void pump(struct stage *stage)
{
    int fd = stage->plain >= 0 && stage->count < STAGE_ENDS
                 ? accept4(stage->plain, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
                 : -1;
    if (fd >= 0) {
        struct end *end = add_end(stage, fd);
        end->echoes = true;
        end->out.seed = 1;
    }
    for (int i = 0; i < stage->count; i++) {
        struct end *end = &stage->ends[i];
        if (end->fd < 0)
            continue;
        if (!holds(end))
            get(end);
        put(end);
    }
}

void stage_listen(struct stage *stage)
{
    stage->plain = peer_listen(stage->plain_address, sizeof stage->plain_address, 8);
    assert_int_equal(fcntl(stage->plain, F_SETFL, O_NONBLOCK), 0);
}

/* Turns. */

static void turn(struct stage *stage)
{
    pump(stage);
    if (stage->threads || stage->over) {
        sleep_ms(1);
        return;
    }
    stage->over = ferry_loop_turn(stage->loop, 1) <= 0;
}

void stage_until(struct stage *stage, bool (*so)(struct stage *))
{
    uint64_t start = now_ms();
    bool calm = false;
    while (!so(stage) && !stage->over) {
        turn(stage);
        uint64_t waited = now_ms() - start;
        if (waited > CALM_MS && !calm) {
            assert_false(stage->clean && waited > case_patience_ms());
            fault_end();
            calm = true;
        }
        if (waited > case_patience_ms() / 3)
            fail_msg("it hangs, with faults no more: %ju opened, %ju closed",
                     (uintmax_t)count_get(&stage->watch.opened), (uintmax_t)count_get(&stage->watch.closed));
    }
}

void stage_turn_for(struct stage *stage, unsigned ms)
{
    uint64_t start = now_ms();
    while (now_ms() - start < ms && !stage->over)
        turn(stage);
}

static bool all_gone(const struct stage *stage)
{
    for (int i = 0; i < stage->count; i++)
        if (!stage->ends[i].gone)
            return false;
    return true;
}

bool stage_all_accepted(struct stage *stage)
{
    ferry_accept_stats stats;
    ferry_listener_stats(stage->listener, &stats);
    return stats.accepted + stats.refused == (uint64_t)stage->count || all_gone(stage);
}

bool stage_all_closed(struct stage *stage)
{
    return all_gone(stage) && count_get(&stage->watch.opened) == count_get(&stage->watch.closed);
}

void stage_end_all(struct stage *stage)
{
    for (int i = 0; i < stage->count; i++) {
        stage->ends[i].holds = false;
        stage->ends[i].no_more = true;
    }
    stage_until(stage, stage_all_closed);
}

/* Opening and closing. */

static void *run(void *arg)
{
    struct stage *stage = arg;
    if (ferry_pool_run(stage->pool) < 0)
        stage->over = true;
    return NULL;
}

bool stage_open_with(struct stage *stage, const ferry_service *service, const char *address,
                     const ferry_pool_options *options)
{
    ferry_pool_options own = *options;
    own.backend = stage->backend;
    watch_init(&stage->watch, service);
    if (service->linger_ms == 0)
        stage->watch.service.linger_ms = LINGER_MS;
    stage->watch.dials = true; /* one whose coroutine could not begin is not seen to open, either */
    stage->pool = ferry_pool_new(&own);
    if (stage->pool == NULL)
        return false;
    stage->loop = ferry_pool_loop(stage->pool, 0);
    if (address != NULL) {
        stage->listener = ferry_listen(stage->pool, address, &stage->watch.service);
        if (stage->listener == NULL)
            return false;
        stage->address = ferry_listener_address(stage->listener);
    }
    if (stage->threads)
        assert_int_equal(pthread_create(&stage->runner, NULL, run, stage), 0);
    return true;
}

bool stage_open(struct stage *stage, const ferry_service *service, const char *address)
{
    static const ferry_pool_options one = {.threads = 1, .grace_ms = 50};
    return stage_open_with(stage, service, address, &one);
}

void stage_play_held(struct stage *stage, const ferry_service *service)
{
    if (!stage_open(stage, service, "127.0.0.1:0"))
        return;
    struct end *end = stage_end(stage, TINY);
    end->expected = BIG;
    end->holds = true;
    stage_turn_for(stage, 2);
    stage_end_all(stage);
}

static bool is_over(struct stage *stage)
{
    return stage->over;
}

static void stop(struct stage *stage)
{
    if (stage->listener == NULL && stage->threads)
        return; /* it never ran */
    ferry_pool_stop(stage->pool);
    if (stage->threads)
        assert_int_equal(pthread_join(stage->runner, NULL), 0);
    else
        stage_until(stage, is_over);
}

/* An input that has ended in order was whole; unless the connection was refused, and nobody heard of it. */
static void check_end(struct stage *stage, const struct end *end)
{
    bool in_order = end->gone && end->error == 0;
    if (stage->clean && end->expected > 0)
        assert_true(in_order);
    if (!in_order || end->expected == 0 || count_get(&stage->watch.opened) < (uint64_t)stage->count)
        return;
    assert_int_equal(end->in.at, end->expected);
}

void stage_close(struct stage *stage)
{
    if (stage->closed)
        return;
    stage->closed = true;
    for (int i = 0; i < stage->count; i++)
        if (stage->ends[i].fd >= 0)
            assert_int_equal(close(stage->ends[i].fd), 0);
    if (stage->plain >= 0)
        assert_int_equal(close(stage->plain), 0);
    stage->plain = -1;
    for (int i = 0; i < stage->count; i++)
        stage->ends[i].fd = -1;
    if (stage->pool != NULL)
        stop(stage);
    ferry_pool_free(stage->pool);
    watch_fini(&stage->watch);
    for (int i = 0; i < stage->count; i++)
        check_end(stage, &stage->ends[i]);
}
