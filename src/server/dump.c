/* SPDX-License-Identifier: MIT
 *
 * server: what a person wants to see: who is connected, and what waits.
 */
#include "server/pool.h"
#include "sys/addr.h"
#include "sys/sys.h"

#include <errno.h>

static int format(const ferry_conn *conn, int (*ask)(int, struct sockaddr_storage *, socklen_t *), char *buf,
                  size_t cap)
{
    struct fy_sockaddr address = {0};
    if (!conn->opened || conn->source.fd < 0)
        return -ENOTCONN;
    int error = ask(conn->source.fd, &address.storage, &address.len);
    return error < 0 ? error : fy_addr_format(&address, buf, cap);
}

int ferry_conn_peer(const ferry_conn *conn, char *buf, size_t cap)
{
    return format(conn, fy_sys_peer, buf, cap);
}

int ferry_conn_local(const ferry_conn *conn, char *buf, size_t cap)
{
    return format(conn, fy_sys_local, buf, cap);
}

static const char *state(const ferry_conn *conn)
{
    if (conn->out.closed)
        return "closed";
    if (!conn->opened)
        return "connecting";
    if (conn->closing)
        return "closing";
    if (conn->eof)
        return conn->fin_out ? "both ended" : "peer ended";
    return conn->fin_out ? "we ended" : "open";
}

static void dump_conn(ferry_conn *conn, FILE *to)
{
    static const char *const roles[] = {"idle", "corked", "writing", "blocked"};
    char peer[FY_ADDR_TEXT];
    if (ferry_conn_peer(conn, peer, sizeof peer) < 0)
        peer[0] = '\0';
    ferry_stats stats;
    ferry_conn_stats(conn, &stats);
    fy_lock(&conn->out.lock);
    const char *role = roles[conn->out.role];
    bool paused = conn->out.paused;
    fy_unlock(&conn->out.lock);
    fprintf(to, "  %p fd %d %s %s: %s%s, received %llu, written %llu, pending %llu, unconsumed %zu, dropped %llu\n",
            (void *)conn, conn->source.fd, peer, state(conn), role, paused ? ", paused" : "",
            (unsigned long long)stats.received, (unsigned long long)stats.written, (unsigned long long)stats.unsent,
            fy_buffer_size(conn->input), (unsigned long long)stats.dropped);
}

void ferry_loop_stats(const ferry_loop *loop, ferry_loop_counters *counters)
{
    *counters = loop->counters;
    counters->wakeups = loop->wakeups;
    counters->posts = loop->posts;
    counters->dropped = loop->dropped;
    counters->stalls = loop->stalls;
    counters->coroutines = loop->cos->count;
    for (const struct fy_list *link = loop->conns.next; link != &loop->conns; link = link->next) {
        const ferry_conn *conn = FY_CONTAINER(link, ferry_conn, link);
        counters->received += conn->received;
        counters->written += conn->out.written;
    }
}

void ferry_loop_dump(ferry_loop *loop, FILE *to)
{
    ferry_loop_counters n;
    ferry_loop_stats(loop, &n);
    fprintf(to,
            "loop %u (%s): %u connections, %u coroutines, %u timers, turns %llu, events %llu, wake-ups %llu, posts "
            "%llu%s\n",
            loop->index, loop->poll->backend->name, n.conns, n.coroutines, loop->timers.count,
            (unsigned long long)n.turns, (unsigned long long)n.events, (unsigned long long)n.wakeups,
            (unsigned long long)n.posts, loop->stopping ? ", stopping" : "");
    for (struct fy_list *link = loop->conns.next; link != &loop->conns; link = link->next)
        dump_conn(FY_CONTAINER(link, ferry_conn, link), to);
    fy_cos_dump(loop, to);
}
