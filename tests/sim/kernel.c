/* SPDX-License-Identifier: MIT
 *
 * The kernel: descriptors that are a table, edges that are flags, files that are memory. Each call of sys.h gives others a chance
 * before it does what it does, and after it, and does that in one go.
 */
#include "kernel.h"

#include "sys/sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FDS = 128, FIRST_FD = 1000 };

static struct descriptor table[FDS];
static unsigned opened; /* so far */

struct descriptor *sim_fd(int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + FDS || table[fd - FIRST_FD].kind == FD_CLOSED)
        sim_fail("descriptor %d is used, and not open", fd);
    return &table[fd - FIRST_FD];
}

struct descriptor *sim_fd_of(int fd, enum sim_kind kind)
{
    struct descriptor *d = sim_fd(fd);
    if (d->kind != kind)
        sim_fail("descriptor %d is used as what it is not", fd);
    return d;
}

/* The lowest that is free, as everywhere: numbers are used again. */
int sim_fd_new(enum sim_kind kind)
{
    int free = 0;
    while (free < FDS && table[free].kind != FD_CLOSED)
        free++;
    if (free == FDS)
        sim_fail("more than %d descriptors", (int)FDS);
    if (opened++ > 0 && (unsigned)free + 1 < opened)
        sim_reached(SIM_FD_REUSED);
    table[free] = (struct descriptor){.kind = kind};
    return FIRST_FD + free;
}

unsigned sim_fd_port(int fd)
{
    return sim_end_id(sim_fd_of(fd, FD_SOCKET)->end);
}

unsigned sim_fd_count(void)
{
    unsigned count = 0;
    for (int i = 0; i < FDS; i++)
        count += table[i].kind != FD_CLOSED;
    return count;
}

void sim_fd_dump(void)
{
    static const char *const kinds[] = {"closed", "socket", "listener", "epoll", "bell", "file"};
    for (int i = 0; i < FDS; i++)
        if (table[i].kind != FD_CLOSED)
            fprintf(stderr, "    fd %d %s port %u events %x%s\n", FIRST_FD + i, kinds[table[i].kind],
                    table[i].kind == FD_SOCKET ? sim_end_port(table[i].end, false) : table[i].port,
                    table[i].kind == FD_SOCKET ? sim_end_poll(table[i].end) : 0, table[i].ready ? ", an edge" : "");
}

/* Edges. */

void sim_fd_event(int fd)
{
    struct descriptor *d = sim_fd(fd);
    sim_wake(d);
    if (!d->epoll)
        return;
    d->ready = true;
    sim_wake(sim_fd(d->epoll));
}

static uint32_t events_of(struct descriptor *d)
{
    switch (d->kind) {
    case FD_SOCKET:
        return sim_end_poll(d->end);
    case FD_LISTENER:
        return d->arrivals > 0 ? EPOLLIN : 0;
    case FD_BELL:
        return EPOLLOUT | (d->rung ? EPOLLIN : 0);
    default:
        return 0;
    }
}

int fy_sys_epoll_create(void)
{
    return sim_fd_new(FD_EPOLL);
}

int fy_sys_epoll_ctl(int epoll, int op, int fd, uint32_t events, void *data)
{
    sim_step("epoll_ctl", (uint64_t)op, (uint64_t)fd);
    struct descriptor *d = sim_fd(fd);
    sim_fd_of(epoll, FD_EPOLL);
    d->epoll = op == EPOLL_CTL_DEL ? 0 : epoll;
    d->events = events | EPOLLERR | EPOLLHUP;
    d->data = data;
    d->ready = false;
    if (d->epoll && (events_of(d) & d->events))
        sim_fd_event(fd);
    return 0;
}

uint32_t sim_fd_wait(int fd, uint32_t events, uint64_t until)
{
    struct descriptor *d = sim_fd(fd);
    uint32_t now = events_of(d) & events;
    if (now)
        return now;
    sim_wait(d, until);
    return events_of(d) & events;
}

void sim_fd_wake_all(void)
{
    for (int i = 0; i < FDS; i++)
        sim_wake(&table[i]);
}

/* Who is told first, is anybody's guess; some are told in the next turn. */
static int collect(int epoll, struct epoll_event *events, int cap)
{
    int n = 0;
    unsigned first = (unsigned)sim_random(FDS);
    for (unsigned i = 0; i < FDS && n < cap; i++) {
        struct descriptor *d = &table[(first + i) % FDS];
        if (d->kind == FD_CLOSED || d->epoll != epoll || !d->ready || (n > 0 && sim_one_in(8)))
            continue;
        d->ready = false;
        uint32_t now = events_of(d) & d->events;
        if (now)
            events[n++] = (struct epoll_event){.events = now, .data.ptr = d->data};
    }
    return n;
}

int fy_sys_epoll_wait(int epoll, struct epoll_event *events, int cap, int64_t timeout_ns)
{
    struct descriptor *e = sim_fd_of(epoll, FD_EPOLL);
    sim_step("epoll_wait", (uint64_t)epoll, (uint64_t)timeout_ns);
    uint64_t until = timeout_ns < 0 ? UINT64_MAX : sim_now() + (uint64_t)timeout_ns;
    int n;
    while ((n = collect(epoll, events, cap)) == 0 && sim_now() < until)
        sim_wait(e, until);
    sim_step("epoll_wait says", (uint64_t)n, 0);
    return n;
}

int fy_sys_eventfd(void)
{
    return sim_fd_new(FD_BELL);
}

void fy_sys_ring(int eventfd)
{
    sim_step("ring", (uint64_t)eventfd, 0);
    sim_fd_of(eventfd, FD_BELL)->rung = true;
    sim_reached(SIM_RUNG);
    sim_fd_event(eventfd);
    sim_step("rung", 0, 0);
}

bool sim_fd_arrive(unsigned port, struct sim_end *end)
{
    for (int i = 0; i < FDS; i++) {
        struct descriptor *d = &table[i];
        if (d->kind != FD_LISTENER || d->port != port || d->arrivals == BACKLOG)
            continue;
        d->arrived[d->arrivals++] = end;
        sim_fd_event(FIRST_FD + i);
        return true;
    }
    return false;
}

void fy_sys_close(int fd)
{
    sim_step("close", (uint64_t)fd, 0);
    struct descriptor *d = sim_fd(fd);
    if (d->kind == FD_SOCKET && d->end)
        sim_end_close(d->end, d->reset_on_close);
    for (unsigned i = 0; i < d->arrivals; i++)
        sim_end_close(d->arrived[i], true);
    free(d->bytes);
    *d = (struct descriptor){.kind = FD_CLOSED};
    sim_step("closed", (uint64_t)fd, 0);
}

/* Files. */

int sim_fd_file(const void *bytes, size_t len, size_t cut)
{
    int fd = sim_fd_new(FD_FILE);
    struct descriptor *d = sim_fd(fd);
    d->bytes = malloc(len);
    if (!d->bytes)
        sim_fail("no memory for a file");
    memcpy(d->bytes, bytes, len);
    d->len = len;
    d->cut = cut;
    return fd;
}

int fy_sys_readable(int fd)
{
    sim_fd_of(fd, FD_FILE);
    return 0;
}

int fy_sys_stat(int fd, struct stat *st)
{
    memset(st, 0, sizeof *st);
    st->st_mode = S_IFREG;
    st->st_size = (off_t)sim_fd_of(fd, FD_FILE)->len;
    return 0;
}

ssize_t fy_sys_pread(int fd, void *buf, size_t len, uint64_t offset)
{
    sim_step("pread", (uint64_t)fd, offset);
    const struct descriptor *f = sim_fd_of(fd, FD_FILE);
    size_t left = offset < f->cut ? f->cut - (size_t)offset : 0;
    size_t n = left < len ? left : len;
    if (n > 0)
        memcpy(buf, f->bytes + offset, n);
    return (ssize_t)n;
}

int fy_sys_readahead(int fd, uint64_t offset, size_t len)
{
    sim_step("readahead", offset, len);
    sim_fd_of(fd, FD_FILE);
    sim_sleep(sim_size(5 * SIM_MS));
    return 0;
}

bool fy_sys_in_memory(int fd, uint64_t offset, size_t len)
{
    (void)offset;
    (void)len;
    sim_fd_of(fd, FD_FILE);
    bool cold = sim_one_in(sim_weather.cold);
    if (cold)
        sim_reached(SIM_COLD);
    return !cold;
}
