/* SPDX-License-Identifier: MIT
 *
 * A bad wire between two network namespaces: what one sends into its TUN device comes out of the other's, later, in another
 * order, twice, damaged, or not at all. What becomes of the n-th packet follows from the seed.
 *
 *   wire [NAME=NUMBER]... SPACE SPACE DEVICE
 *
 * A SPACE is a file as /run/netns/NAME; both get a device of that name. "ready" on stdout tells that they are there, and at
 * SIGTERM a line with what was done to how many packets.
 */
#include "packets.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MILLISECOND = 1000000 };

/* What may happen to a packet: in milliseconds, and in thousandths of all packets. */
static struct weather {
    unsigned long seed, delay, jitter, hold, loss, duplicate, reorder, corrupt;
} weather = {.seed = 1, .hold = 10};

static const struct {
    const char *name;
    unsigned long *number;
} settings[] = {
    {"seed", &weather.seed},           {"delay", &weather.delay},     {"jitter", &weather.jitter},
    {"hold", &weather.hold},           {"loss", &weather.loss},       {"reorder", &weather.reorder},
    {"duplicate", &weather.duplicate}, {"corrupt", &weather.corrupt},
};

static struct {
    unsigned long delivered, lost, reordered, duplicated, corrupted;
} count;

static struct packets packets;
static int ends[2];
static uint64_t last_due[2]; /* for what comes out of each: jitter alone does not change the order */
static volatile sig_atomic_t stopped;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 * MILLISECOND + (uint64_t)time.tv_nsec;
}

/* xorshift: good enough for the weather. */
static unsigned long below(unsigned long limit)
{
    static uint64_t state;
    if (state == 0)
        state = weather.seed * 0x9e3779b97f4a7c15U + 1;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned long)((state >> 11) % limit);
}

static bool happens(unsigned long thousandths)
{
    return below(1000) < thousandths;
}

static uint64_t due(int to, bool held)
{
    uint64_t time = now() + (weather.delay + (weather.jitter ? below(weather.jitter + 1) : 0)) * MILLISECOND;
    if (held)
        return time + weather.hold * MILLISECOND;
    if (time < last_due[to])
        time = last_due[to];
    last_due[to] = time;
    return time;
}

static void send_off(struct packet *packet)
{
    bool held = happens(weather.reorder);
    packet->due = due(packet->to, held);
    count.reordered += held;
    packets_push(&packets, packet);
}

static void treat(struct packet *packet)
{
    bool lost = happens(weather.loss), twice = happens(weather.duplicate), damaged = happens(weather.corrupt);
    if (lost) {
        count.lost++;
        packets_free(&packets, packet);
        return;
    }
    struct packet *copy = twice ? packets_copy(&packets, packet) : NULL;
    if (damaged) {
        packet->data[below(packet->len)] ^= (unsigned char)(1U << below(8));
        count.corrupted++;
    }
    send_off(packet);
    if (copy) {
        count.duplicated++;
        send_off(copy);
    }
}

/* Takes in what one end has sent. Without room it stays where it is, as before a full router. */
static void take(int from)
{
    struct packet *packet;
    while ((packet = packets_new(&packets))) {
        ssize_t len = read(ends[from], packet->data, sizeof packet->data);
        if (len <= 0) {
            packets_free(&packets, packet);
            return;
        }
        packet->len = (unsigned)len;
        packet->to = !from;
        treat(packet);
    }
}

/* Gives out what is due. A device that is down, and one that finds the packet malformed, lose it. */
static void give(void)
{
    struct packet *packet;
    while ((packet = packets_first(&packets)) && packet->due <= now()) {
        packets_pop(&packets);
        if (write(ends[packet->to], packet->data, packet->len) < 0)
            count.lost++;
        else
            count.delivered++;
        packets_free(&packets, packet);
    }
}

static void forward(const sigset_t *while_waiting)
{
    while (!stopped) {
        const struct packet *first = packets_first(&packets);
        uint64_t time = now(), wait = first && first->due > time ? first->due - time : 0;
        struct timespec timeout = {(time_t)(wait / (1000 * MILLISECOND)), (long)(wait % (1000 * MILLISECOND))};
        short wanted = packets_full(&packets) ? 0 : POLLIN;
        struct pollfd polled[2] = {{.fd = ends[0], .events = wanted}, {.fd = ends[1], .events = wanted}};
        if (ppoll(polled, 2, first ? &timeout : NULL, while_waiting) < 0 && errno != EINTR)
            err(1, "ppoll");
        take(0);
        take(1);
        give();
    }
}

static int open_end(const char *space, const char *device)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    int fd = open(space, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        err(1, "%s", space);
    close(fd);
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
        err(1, "/dev/net/tun: %s", device);
    return fd;
}

static void set(const char *text)
{
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    for (size_t i = 0; equals && i < sizeof settings / sizeof *settings; i++) {
        if (strlen(settings[i].name) == len && strncmp(settings[i].name, text, len) == 0) {
            *settings[i].number = strtoul(equals + 1, NULL, 10);
            return;
        }
    }
    errx(2, "no such setting: %s", text);
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

int main(int argc, char **argv)
{
    sigset_t blocked, before;
    if (argc < 4)
        errx(2, "usage: wire [NAME=NUMBER]... SPACE SPACE DEVICE");
    for (int i = 1; i < argc - 3; i++)
        set(argv[i]);
    for (int i = 0; i < 2; i++)
        ends[i] = open_end(argv[argc - 3 + i], argv[argc - 1]);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    signal(SIGTERM, stop);
    packets_init(&packets);
    puts("ready");
    fflush(stdout);
    forward(&before);
    printf("delivered %lu, lost %lu, reordered %lu, duplicated %lu, corrupted %lu\n", count.delivered, count.lost,
           count.reordered, count.duplicated, count.corrupted);
    return 0;
}
