/* SPDX-License-Identifier: MIT
 *
 * As many connections as there can be: load_storm MS PATIENCE SLOTS ECHO...
 *
 * For MS milliseconds each of the SLOTS connects, to the addresses in turn, sends a message, looks at the echo, and
 * ends, by a FIN or by a reset, to begin again at once. Each that was begun is served, whole; or it is refused, or
 * reset before it got anything; or it gives up, when nothing has come for PATIENCE milliseconds. It prints how many
 * there were of each.
 */
#include "client.h"
#include "pattern.h"

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 16, MESSAGE = 64, EVENTS = 256, LOOK_MS = 100 };

struct slot {
    int fd; /* -1 = none */
    uint64_t number, began;
    bool sent;
    bool fin; /* the echo is here; FIN was sent, and is waited for */
    size_t got;
};

static struct {
    int epoll;
    size_t slots, addresses;
    struct sockaddr_in to[ADDRESSES_MAX];
    uint64_t patience_us, end_us;
    uint64_t begun, served, refused, given_up;
    struct sample times;
} all;

static void look_for(struct slot *slot, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = slot};
    if (epoll_ctl(all.epoll, operation, slot->fd, &event) < 0)
        err(1, "epoll_ctl");
}

static void begin(struct slot *slot)
{
    uint64_t number = all.begun++;
    int fd = client_connect(&all.to[number % all.addresses], number, SOCK_NONBLOCK);
    *slot = (struct slot){.fd = fd < 0 ? -1 : fd, .number = number, .began = client_now_us()};
    if (fd < 0)
        all.refused++;
    else
        look_for(slot, EPOLL_CTL_ADD, EPOLLOUT);
}

static void end(struct slot *slot, uint64_t *count)
{
    ++*count;
    client_reset(slot->fd); /* after FINs both ways nothing is left to be reset, and no port to wait for */
    slot->fd = -1;
    if (client_now_us() < all.end_us)
        begin(slot);
}

static _Noreturn void condemn(const struct slot *slot, const char *why)
{
    errx(1, "storm: connection %ju, after %ju ms, %s, %zu bytes of the echo received: %s", (uintmax_t)slot->number,
         (uintmax_t)(client_now_us() - slot->began) / 1000, slot->sent ? "the message sent" : "nothing sent", slot->got,
         why);
}

static void failed(struct slot *slot, int error)
{
    if (error == EAGAIN)
        return;
    bool refusal = error == ECONNREFUSED || error == ECONNRESET || error == EPIPE;
    if (!refusal || slot->got > 0)
        condemn(slot, strerror(error));
    end(slot, &all.refused);
}

static void give_up(struct slot *slot)
{
    if (slot->got > 0)
        condemn(slot, "nothing more comes");
    end(slot, &all.given_up);
}

static void send_message(struct slot *slot)
{
    char bytes[MESSAGE];
    struct pattern pattern = {.seed = slot->number};
    pattern_fill(&pattern, bytes, sizeof bytes);
    ssize_t put = send(slot->fd, bytes, sizeof bytes, MSG_NOSIGNAL);
    if (put < 0) {
        failed(slot, errno);
        return;
    }
    slot->sent = true;
    look_for(slot, EPOLL_CTL_MOD, EPOLLIN);
}

static void finish(struct slot *slot)
{
    sample_add(&all.times, client_now_us() - slot->began);
    if (slot->number % 2 == 0) {
        end(slot, &all.served);
        return;
    }
    slot->fin = true;
    if (shutdown(slot->fd, SHUT_WR) < 0)
        condemn(slot, strerror(errno));
}

static void receive_echo(struct slot *slot)
{
    char bytes[MESSAGE + 1];
    struct pattern pattern = {.seed = slot->number, .at = slot->got};
    ssize_t got = recv(slot->fd, bytes, sizeof bytes, 0);
    if (got < 0) {
        failed(slot, errno);
        return;
    }
    if (got == 0 && slot->fin) {
        end(slot, &all.served);
        return;
    }
    if (got == 0)
        condemn(slot, "its end, before the echo's");
    slot->got += (size_t)got;
    if (slot->got > MESSAGE || pattern_match(&pattern, bytes, (size_t)got) != (size_t)got)
        condemn(slot, "bytes that were not sent");
    if (slot->got == MESSAGE)
        finish(slot);
}

static void go_on(struct slot *slot)
{
    if (slot->fd < 0)
        return;
    if (slot->sent)
        receive_echo(slot);
    else
        send_message(slot);
}

/* Whether anybody is under way still. */
static bool look_at_all(struct slot *slots)
{
    bool busy = false;
    uint64_t now = client_now_us();
    for (size_t i = 0; i < all.slots; i++) {
        if (slots[i].fd < 0 && now < all.end_us)
            begin(&slots[i]); /* was refused at once */
        busy |= slots[i].fd >= 0;
        if (slots[i].fd >= 0 && now > slots[i].began + all.patience_us)
            give_up(&slots[i]);
    }
    return busy;
}

static void blow(struct slot *slots)
{
    struct epoll_event events[EVENTS];
    uint64_t looked = 0;
    bool busy = true;
    while (busy || client_now_us() < all.end_us) {
        int count = epoll_wait(all.epoll, events, EVENTS, LOOK_MS);
        for (int i = 0; i < count; i++)
            go_on(events[i].data.ptr);
        if (client_now_us() < looked + LOOK_MS * 1000)
            continue;
        busy = look_at_all(slots);
        looked = client_now_us();
    }
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 4 + ADDRESSES_MAX)
        errx(2, "usage: load_storm MS PATIENCE SLOTS ECHO...");
    all.slots = client_number(argv[3]);
    all.addresses = (size_t)argc - 4;
    for (size_t i = 0; i < all.addresses; i++)
        all.to[i] = client_address(argv[4 + i]);
    struct slot *slots = calloc(all.slots + 1, sizeof *slots);
    all.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!slots || all.epoll < 0)
        err(1, "load_storm");
    all.patience_us = client_number(argv[2]) * 1000ULL;
    all.end_us = client_now_us() + client_number(argv[1]) * 1000;
    for (size_t i = 0; i < all.slots; i++)
        begin(&slots[i]);
    blow(slots);
    (void)printf("begun %ju served %ju refused %ju given_up %ju p50_us %u max_us %u\n", (uintmax_t)all.begun,
                 (uintmax_t)all.served, (uintmax_t)all.refused, (uintmax_t)all.given_up,
                 sample_percentile(&all.times, 50), sample_percentile(&all.times, 100));
    free(slots);
    return EXIT_SUCCESS;
}
