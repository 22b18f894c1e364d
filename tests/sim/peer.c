/* SPDX-License-Identifier: MIT
 *
 * Peers without the library: threads with sockets that read and write, half-close, reset, stand still or leave.
 */
#include "world.h"

#include "sys/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { AT_ONCE = 8192 };

static int try_connect(unsigned port)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd;
    while ((fd = fy_sys_socket(AF_INET)) < 0)
        sim_sleep(SIM_MS);
    fy_sys_connect(fd, (const struct sockaddr *)(const void *)&to, sizeof to);
    uint64_t patience = sim_now() + 100 * (uint64_t)SIM_MS;
    while (sim_now() < patience && sim_fd_wait(fd, EPOLLOUT | EPOLLERR, patience) == 0)
        ;
    if (sim_fd_wait(fd, EPOLLOUT, 0) && fy_sys_take_error(fd) == 0)
        return fd;
    fy_sys_close(fd);
    return -1;
}

/* Fails when nobody listens any more. */
void peer_connect(struct peer *peer)
{
    peer->fd = -1;
    for (int tries = 0; peer->fd < 0 && tries < 4; tries++)
        peer->fd = try_connect(peer->listener);
    if (peer->fd < 0) {
        peer->failed = true;
        return;
    }
    peer->side->port = sim_fd_port(peer->fd);
    peer->side->opened = 1;
}

/* One read; false = there is nothing to be had now. */
static bool read_once(struct peer *peer, size_t most)
{
    char bytes[AT_ONCE];
    ssize_t n = fy_sys_recv(peer->fd, bytes, most < sizeof bytes ? most : sizeof bytes);
    if (n == -EAGAIN)
        return false;
    if (n > 0) {
        reader_takes(peer->side, bytes, (size_t)n);
        return true;
    }
    if (n == 0 && !peer->failed)
        reader_ends(peer->side);
    peer->side->ended = true;
    peer->failed |= n < 0;
    return false;
}

/* What it waits for, and cannot do yet: it reads meanwhile, or both might wait for each other for ever. */
static void wait_for(struct peer *peer, uint32_t events)
{
    bool reads = (!peer->lazy || world.healed) && !peer->side->ended;
    uint32_t now = sim_fd_wait(peer->fd, events | (reads ? EPOLLIN : 0), UINT64_MAX);
    if (reads && (now & EPOLLIN))
        read_once(peer, sim_size(AT_ONCE));
}

static void send_message(struct peer *peer, size_t size)
{
    unsigned char *bytes;
    unsigned message = message_new(peer->side, size, &bytes);
    size_t len = world.messages[message].len;
    message_begins(message);
    for (size_t sent = 0; sent < len && !peer->failed;) {
        const struct iovec part = {bytes + sent, len - sent};
        ssize_t n = fy_sys_send(peer->fd, &part, 1, false);
        if (n == -EAGAIN)
            wait_for(peer, EPOLLOUT | EPOLLERR);
        else if (n > 0)
            sent += (size_t)n;
        else
            peer->failed = n != -ENOBUFS;
    }
    message_ends(message);
    free(bytes);
}

static void leave(struct peer *peer, bool reset)
{
    if (reset)
        fy_sys_reset_on_close(peer->fd);
    fy_sys_close(peer->fd);
    peer->side->ended = true;
    peer->fd = -1;
}

void peer_does(struct peer *peer, enum peer_kind kind, size_t size)
{
    if (peer->fd < 0)
        return;
    switch (kind) {
    case PEER_SEND:
        if (!peer->said_all && !peer->failed)
            send_message(peer, size);
        break;
    case PEER_READ:
        if (!peer->side->ended)
            read_once(peer, size);
        break;
    case PEER_SLEEP:
        sim_sleep(size * 1000);
        break;
    case PEER_HALF_CLOSE:
        fy_sys_shutdown_write(peer->fd);
        peer->said_all = true;
        break;
    default:
        leave(peer, kind == PEER_RESET);
        break;
    }
}

/* Reads to the end, when the time has come, and closes in order. */
void peer_ends(struct peer *peer)
{
    struct side *side = peer->side;
    while (peer->fd >= 0 && !side->ended && !world.ending) {
        if (peer->lazy && !world.healed)
            sim_fd_wait(peer->fd, EPOLLERR, UINT64_MAX);
        else
            wait_for(peer, EPOLLIN);
        if (sim_fd_wait(peer->fd, EPOLLERR, 0))
            break;
    }
    if (peer->fd >= 0)
        fy_sys_shutdown_write(peer->fd);
    while (peer->fd >= 0 && !side->ended)
        if (!read_once(peer, sim_size(AT_ONCE)) && !side->ended)
            sim_fd_wait(peer->fd, EPOLLIN, UINT64_MAX);
    if (peer->fd >= 0)
        leave(peer, false);
    side->ended = true;
    sim_wake(&world.changed);
}
