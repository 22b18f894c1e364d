/* SPDX-License-Identifier: MIT
 *
 * Clients by chance: load_soak SEED CLIENTS LENGTH ADDRESS...
 *
 * The addresses are echo, file, echo, file...; the file has LENGTH bytes of the pattern of seed 1. It reads from stdin,
 * each time, for how many milliseconds to go on: so long it keeps CLIENTS clients going, and begins new ones. Each has
 * a plan of tests/stress: it sends and receives at its own pace, to the end or until it resets, or leaves; and some of
 * them never read. When the last has gone it prints a line of figures. Each client is judged: what comes back is what
 * was sent, the file is the file; an end comes behind the last byte, and nobody is reset who has not asked for it. A
 * verdict ends the program with status 1; the seed makes the same plans again.
 */
#include "client.h"
#include "end.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { CLIENTS_MAX = 1024, ADDRESSES_MAX = 16, EVENTS = 64, FILE_SEED = 1, NEVER_READS_MS = 300 };

struct session {
    uint64_t number; /* its place is that in the table, by the remainder */
    bool going;
    struct end end;
};

static struct {
    uint64_t seed, length;
    size_t concurrent, addresses;
    int epoll;
    struct sockaddr_in to[ADDRESSES_MAX];
    uint64_t now, patience; /* milliseconds */
    struct session sessions[CLIENTS_MAX];
    uint64_t begun, bytes, rude;
} all;

static bool wants_file(const struct session *session)
{
    return session->number % all.addresses % 2 == 1;
}

/* A client, alone: there is no other side with a plan. One that was to stand still until that resets does so itself. */
static struct plan make_plan(uint64_t number)
{
    struct plan plan = plan_make(all.seed, number, CLIENT);
    plan.answers = false;
    if (plan.stall_ms == UINT32_MAX) {
        plan.manner = RESET;
        plan.end_at = UINT64_MAX;
        plan.end_after_ms = NEVER_READS_MS;
    }
    return plan;
}

static void watch(struct session *session, int operation)
{
    struct epoll_event event = {.events = end_wants(&session->end, all.now), .data.ptr = session};
    session->end.watched = event.events;
    if (epoll_ctl(all.epoll, operation, session->end.fd, &event) < 0)
        err(1, "epoll_ctl");
}

static void begin(struct session *session)
{
    const struct sockaddr_in *to = &all.to[session->number % all.addresses];
    const struct plan plan = make_plan(session->number);
    int fd = client_connect(to, session->number, SOCK_NONBLOCK);
    if (fd < 0)
        errx(1, "soak: client %ju is refused", (uintmax_t)session->number);
    session->going = true;
    all.begun++;
    end_begin(&session->end, CLIENT, fd, all.now);
    session->end.greeted = sizeof session->end.greeting; /* there is nobody to be told which one it is */
    end_join(&session->end, session, &plan, wants_file(session) ? FILE_SEED : plan.stream);
    watch(session, EPOLL_CTL_ADD);
}

static const char *judgement(const struct session *session)
{
    const struct end *end = &session->end;
    uint64_t expected = wants_file(session) ? all.length : end->out.at;
    if (end->bad)
        return end->bad;
    if (end->in.at > expected)
        return "more was received than there is";
    if (end->was_reset)
        return "a reset";
    if (end->eof && end->in.at < expected)
        return "an end before the last byte";
    if (end->eof && !end->fin_sent && !wants_file(session) && !end->was_rude)
        return "an end that nobody has sent";
    return NULL;
}

static void condemn(const struct session *session, const char *why)
{
    (void)fprintf(stderr, "soak: seed %ju, client %ju of %s: %s\n", (uintmax_t)all.seed, (uintmax_t)session->number,
                  wants_file(session) ? "file" : "echo", why);
    end_print(&session->end);
    exit(EXIT_FAILURE);
}

static void go_on(struct session *session, uint32_t events)
{
    if (session->end.fd < 0)
        return;
    end_go_on(&session->end, events, all.now);
    if (session->end.fd >= 0 && end_wants(&session->end, all.now) != session->end.watched)
        watch(session, EPOLL_CTL_MOD);
}

static void look_at(struct session *session)
{
    go_on(session, 0);
    if (session->end.fd >= 0) {
        if (all.now > session->end.began + all.patience)
            condemn(session, "it is stuck");
        return;
    }
    const char *bad = judgement(session);
    if (bad)
        condemn(session, bad);
    all.bytes += session->end.in.at + session->end.out.at;
    all.rude += session->end.was_rude;
    session->going = false;
    session->number += all.concurrent;
}

/* Whatever is due by the clock. Returns whether anybody is there. */
static bool look_at_all(bool more)
{
    bool busy = false;
    for (size_t i = 0; i < all.concurrent; i++) {
        struct session *session = &all.sessions[i];
        if (session->going)
            look_at(session);
        if (!session->going && more)
            begin(session);
        busy |= session->going;
    }
    return busy;
}

static void handle_events(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(all.epoll, events, EVENTS, 1);
    all.now = client_now_us() / 1000;
    for (int i = 0; i < count; i++)
        go_on(events[i].data.ptr, events[i].events);
}

static void run(uint64_t ms)
{
    all.now = client_now_us() / 1000;
    uint64_t end = all.now + ms;
    while (look_at_all(all.now < end) || all.now < end)
        handle_events();
    (void)printf("clients %ju MiB %ju rude %ju\n", (uintmax_t)all.begun, (uintmax_t)(all.bytes >> 20),
                 (uintmax_t)all.rude);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[64];
    if (argc < 5 || argc > 4 + ADDRESSES_MAX)
        errx(2, "usage: load_soak SEED CLIENTS LENGTH ADDRESS...");
    all.seed = client_number(argv[1]);
    all.concurrent = client_number(argv[2]);
    all.length = client_number(argv[3]);
    all.addresses = (size_t)argc - 4;
    all.patience = client_patience_ms();
    all.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (all.epoll < 0 || all.concurrent == 0 || all.concurrent > CLIENTS_MAX)
        errx(2, "CLIENTS is from 1 to %d", CLIENTS_MAX);
    for (size_t i = 0; i < all.addresses; i++)
        all.to[i] = client_address(argv[4 + i]);
    for (size_t i = 0; i < all.concurrent; i++)
        all.sessions[i].number = i;
    while (fgets(line, sizeof line, stdin))
        run(client_number(line));
    return EXIT_SUCCESS;
}
