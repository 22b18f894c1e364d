/* SPDX-License-Identifier: MIT
 *
 * Clients and targets on both sides of a relay: stress_peers SEED SESSIONS
 *
 * It prints the address of its target, and reads from stdin the port of the relay, which has that target; then, each
 * time, for how many milliseconds to go on: so long it keeps SESSIONS sessions going, and begins new ones. When the
 * last is over it prints a line of figures. Each session goes by a plan, and is judged when it is over:
 *
 *   - each byte that comes is the next that was sent;
 *   - FIN comes behind the last byte, and only if it was sent;
 *   - a reset comes only if the other side has reset, or left; and then nothing looks complete that is not.
 *
 * One that is not over in time is stuck. A verdict ends the program with status 1; the seed makes the same plans again.
 */
#include "end.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* So many sessions a second are begun, at most: a port that was used is not free again for a while. */
enum { SESSIONS_MAX = 1024, EVENTS = 64, A_SECOND = 400, PATIENCE_MS = 60 * 1000 };

struct session {
    uint64_t number; /* its place is that in the table, by the remainder */
    bool going, met; /* met: its target has been greeted */
    struct end ends[2];
};

static struct {
    uint64_t seed;
    size_t concurrent;
    int epoll, listener;
    struct sockaddr_in relay;
    uint64_t now, patience;
    struct session sessions[SESSIONS_MAX];
    struct end strangers[SESSIONS_MAX]; /* targets that have no session, or none yet; fd is -1 where there is none */
    uint64_t begun, accepted, unmet, resets, bytes;
} all;

static void look_at_clock(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    all.now = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void watch(struct end *end, int operation)
{
    struct epoll_event event = {.events = end_wants(end, all.now), .data.ptr = end};
    end->watched = event.events;
    if (epoll_ctl(all.epoll, operation, end->fd, &event) < 0)
        err(1, "epoll_ctl");
}

/* The judge. */

static const char *judge_end(const struct end *end, const struct end *other)
{
    bool left = other->was_rude && other->plan.manner == LEAVE;
    if (end->bad)
        return end->bad;
    if (end->in.at > other->out.at)
        return "more was received than sent";
    if (end->was_reset && !other->was_rude)
        return "a reset, and nobody has reset";
    if (end->eof && !other->fin_sent && !left)
        return "an end that nobody has sent";
    if (end->eof && end->in.at < other->out.at)
        return "an end before the last byte";
    return NULL;
}

static void condemn(const struct session *session, const char *why)
{
    (void)fprintf(stderr, "stress: seed %ju, session %ju: %s\n", (uintmax_t)all.seed, (uintmax_t)session->number, why);
    end_print(&session->ends[CLIENT]);
    if (session->met)
        end_print(&session->ends[TARGET]);
    exit(EXIT_FAILURE);
}

static void judge(const struct session *session)
{
    const struct end *client = &session->ends[CLIENT], *target = &session->ends[TARGET];
    const char *bad = judge_end(client, target);
    if (!bad && session->met)
        bad = judge_end(target, client);
    if (bad)
        condemn(session, bad);
    all.bytes += client->in.at + target->in.at;
    all.resets += client->was_reset + target->was_reset;
    all.unmet += !session->met;
}

/* Sessions. */

static void begin_session(size_t slot)
{
    struct session *session = &all.sessions[slot];
    *session = (struct session){.number = session->number + all.concurrent, .going = true};
    all.begun++;
    session->ends[TARGET].fd = -1;
    struct end *client = &session->ends[CLIENT];
    const struct plan plan = plan_make(all.seed, session->number, CLIENT);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        err(1, "socket");
    end_begin(client, CLIENT, fd, all.now);
    client->greeting = (struct greeting){all.seed, session->number};
    end_join(client, session, &plan, plan_make(all.seed, session->number, TARGET).stream);
    if (connect(fd, (const struct sockaddr *)&all.relay, sizeof all.relay) < 0 && errno != EINPROGRESS)
        err(1, "connect");
    watch(client, EPOLL_CTL_ADD);
}

static void end_session(struct session *session)
{
    const struct end *client = &session->ends[CLIENT], *target = &session->ends[TARGET];
    if (client->fd < 0 && target->fd < 0 && (session->met || client->was_rude || client->was_reset)) {
        judge(session);
        session->going = false;
    } else if (all.now > client->began + all.patience) {
        condemn(session, "it is stuck");
    }
}

/* A target that has been greeted takes its place. One whose client has gone meanwhile has none, and reads to its end.
 */
static void meet(struct end *stranger)
{
    struct session *session = &all.sessions[stranger->greeting.session % all.concurrent];
    bool known = stranger->greeting.run == all.seed && stranger->greeting.session == session->number;
    if (!known || !session->going || session->met)
        return;
    struct end *target = &session->ends[TARGET];
    const struct plan plan = plan_make(all.seed, session->number, TARGET);
    *target = *stranger;
    stranger->fd = -1;
    session->met = true;
    end_join(target, session, &plan, session->ends[CLIENT].plan.stream);
    watch(target, EPOLL_CTL_MOD);
}

static void accept_all(void)
{
    int fd;
    while ((fd = accept4(all.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct end *stranger = all.strangers;
        while (stranger->fd >= 0 && stranger < all.strangers + SESSIONS_MAX - 1)
            stranger++;
        if (stranger->fd >= 0)
            errx(1, "more targets than there can be clients");
        end_begin(stranger, TARGET, fd, all.now);
        all.accepted++;
        watch(stranger, EPOLL_CTL_ADD);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        err(1, "accept");
}

static void go_on(struct end *end, uint32_t events)
{
    if (end->fd < 0)
        return;
    bool was_greeted = end_is_greeted(end);
    end_go_on(end, events, all.now);
    if (end->fd >= 0 && end_is_greeted(end) && !was_greeted)
        meet(end);
    if (end->fd >= 0 && end_wants(end, all.now) != end->watched)
        watch(end, EPOLL_CTL_MOD);
}

static bool look_at_stranger(struct end *stranger)
{
    if (stranger->fd < 0)
        return false;
    if (all.now > stranger->began + all.patience)
        errx(1, "stress: seed %ju: a target is stuck that has no client any more", (uintmax_t)all.seed);
    return true;
}

static bool look_at_session(size_t slot, bool more)
{
    struct session *session = &all.sessions[slot];
    if (session->going) {
        go_on(&session->ends[CLIENT], 0);
        go_on(&session->ends[TARGET], 0);
        end_session(session);
    }
    if (!session->going && more)
        begin_session(slot);
    return session->going;
}

/* Whatever is due by the clock. Returns whether anything is going on. */
static bool look_at_all(bool more)
{
    bool busy = false;
    for (size_t i = 0; i < all.concurrent; i++)
        busy |= look_at_session(i, more);
    for (size_t i = 0; i < SESSIONS_MAX; i++)
        busy |= look_at_stranger(&all.strangers[i]);
    return busy;
}

static void handle_events(void)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(all.epoll, events, EVENTS, 1);
    look_at_clock();
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            go_on(events[i].data.ptr, events[i].events);
        else
            accept_all();
    }
}

/* The whole of it. */

static void run(uint64_t ms)
{
    uint64_t start, before = all.begun;
    look_at_clock();
    start = all.now;
    for (bool busy = true; busy;) {
        bool time_left = all.now < start + ms;
        busy = look_at_all(time_left && all.begun - before <= (all.now - start) * A_SECOND / 1000) || time_left;
        handle_events();
    }
    if (all.accepted > all.begun)
        errx(1, "stress: seed %ju: more targets than there were clients", (uintmax_t)all.seed);
    (void)printf("%ju sessions, %ju MiB, %ju resets seen, %ju targets not reached by a client that had gone\n",
                 (uintmax_t)all.begun, (uintmax_t)(all.bytes >> 20), (uintmax_t)all.resets, (uintmax_t)all.unmet);
    (void)fflush(stdout);
}

static void listen_for_targets(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN};
    socklen_t size = sizeof any;
    all.epoll = epoll_create1(EPOLL_CLOEXEC);
    all.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(all.listener, (struct sockaddr *)&any, size) < 0 || listen(all.listener, SESSIONS_MAX) < 0)
        err(1, "cannot listen");
    if (getsockname(all.listener, (struct sockaddr *)&any, &size) < 0 ||
        epoll_ctl(all.epoll, EPOLL_CTL_ADD, all.listener, &event) < 0)
        err(1, "cannot listen");
    (void)printf("127.0.0.1:%u\n", ntohs(any.sin_port));
    (void)fflush(stdout);
}

static unsigned long parse(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || (*end != '\0' && *end != '\n'))
        errx(2, "not a number: %s", text);
    return number;
}

static void set_up(char **argv)
{
    const char *slow = getenv("FERRY_TEST_SLOW");
    all.seed = parse(argv[1]);
    all.concurrent = parse(argv[2]);
    if (all.concurrent == 0 || all.concurrent > SESSIONS_MAX)
        errx(2, "SESSIONS is from 1 to %d", SESSIONS_MAX);
    all.patience = PATIENCE_MS * (slow ? parse(slow) : 1);
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        all.sessions[i].number = i;
        all.strangers[i].fd = -1;
    }
}

int main(int argc, char **argv)
{
    char line[64];
    if (argc != 3)
        errx(2, "usage: stress_peers SEED SESSIONS");
    set_up(argv);
    listen_for_targets();
    if (!fgets(line, sizeof line, stdin))
        errx(2, "the relay's port was expected on stdin");
    all.relay = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)parse(line)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while (fgets(line, sizeof line, stdin))
        run(parse(line));
    return EXIT_SUCCESS;
}
