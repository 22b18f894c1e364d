/* SPDX-License-Identifier: MIT
 *
 * server: listeners. Loop 0 accepts, and hands each connection to the loops in turn.
 *
 * When descriptors or memory run out the connection stays in the kernel's queue, accepting pauses, and is tried again
 * after a back-off, or as soon as a connection of this listener closes. An error that does not pass is no reason to spin.
 */
#include "base/clock.h"
#include "base/log.h"
#include "server/peers.h"
#include "server/pool.h"
#include "server/service.h"
#include "sys/sock.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { PAUSE_MIN_MS = 10, PAUSE_MAX_MS = 1000, QUIET_S = 60 };

struct ferry_listener {
    struct fy_service service; /* first: see listener_of() */
    struct fy_source source;
    ferry_pool *pool;
    struct fy_list link; /* in pool->listeners */
    struct fy_sockaddr at;
    dev_t device; /* the socket file's, */
    ino_t inode;  /* if it has one */
    char address[FY_ADDR_TEXT];
    struct fy_peers peers;
    struct fy_task starting, stopping, resuming;
    struct fy_timer retry;
    unsigned pause_ms; /* the next pause; 0 = accepting goes well */
    uint64_t quiet;    /* until then no pause is told: while there is too little of something, each accept has one */
    bool told;         /* that it pauses, and not that it goes on */
    unsigned next;     /* the loop that gets the next connection */
    atomic_bool paused, stop_asked;
    atomic_uint open;
    atomic_uint_fast64_t accepted, refused, pauses;
};

/* A connection on its way to its loop. */
struct arrival {
    struct fy_task task;
    ferry_listener *listener;
    ferry_conn *conn;
    int fd;
};

static ferry_listener *listener_of(struct fy_service *service)
{
    return FY_CONTAINER(service, ferry_listener, service);
}

ferry_listener *fy_listener_of(struct fy_list *link)
{
    return FY_CONTAINER(link, ferry_listener, link);
}

static ferry_loop *home(ferry_listener *l)
{
    return &l->pool->loops[0];
}

static void uncount(ferry_listener *l, struct fy_peer *peer)
{
    if (peer)
        fy_peers_leave(&l->peers, peer);
    atomic_fetch_sub(&l->open, 1);
}

/* A connection has closed, on any loop: a descriptor is free again. */
static void gone(struct fy_service *service, void *tag)
{
    ferry_listener *l = listener_of(service);
    uncount(l, tag);
    if (atomic_load(&l->paused) && atomic_exchange(&l->paused, false))
        fy_loop_post(home(l), &l->resuming);
}

static void refuse(ferry_listener *l, int fd)
{
    atomic_fetch_add(&l->refused, 1); /* before the peer can know of it */
    fy_sys_close(fd);
}

static void open_here(ferry_listener *l, ferry_conn *conn, int fd)
{
    struct fy_peer *peer = conn->tag;
    fy_conn_attach(conn);
    atomic_fetch_add(&l->accepted, 1);  /* before on_open and the peer can know of it */
    int error = fy_conn_open(conn, fd); /* also where a stop has begun: what it has under way at once is finished */
    if (error == 0)
        return;
    atomic_fetch_sub(&l->accepted, 1);
    fy_conn_detach(conn);
    refuse(l, fd);
    uncount(l, peer);
}

static void arrive(struct fy_task *task)
{
    struct arrival *a = FY_CONTAINER(task, struct arrival, task);
    ferry_listener *l = a->listener;
    ferry_conn *conn = a->conn;
    int fd = a->fd;
    free(a);
    open_here(l, conn, fd);
}

/* Counts it against the limits. 0, or why it is refused. */
static int enter(ferry_listener *l, int fd, struct fy_peer **peer)
{
    unsigned most = l->service.user.max_conns, most_a_peer = l->service.user.max_conns_per_peer;
    if (most && atomic_load(&l->open) >= most)
        return -EUSERS;
    if (most_a_peer) {
        struct fy_sockaddr from;
        int error = fy_sys_peer(fd, &from.storage, &from.len);
        if (error == 0)
            error = fy_peers_enter(&l->peers, &from, most_a_peer, peer);
        if (error < 0)
            return error;
    }
    atomic_fetch_add(&l->open, 1);
    return 0;
}

static int hand_over(ferry_listener *l, int fd, struct fy_peer *peer)
{
    ferry_loop *loop = &l->pool->loops[l->next++ % l->pool->size];
    ferry_conn *conn = fy_conn_new(loop, &l->service.driver, peer);
    if (!conn)
        return -ENOMEM;
    if (fy_loop_here(loop)) {
        open_here(l, conn, fd);
        return 0;
    }
    struct arrival *a = malloc(sizeof *a);
    if (!a) {
        ferry_conn_unref(conn);
        return -ENOMEM;
    }
    *a = (struct arrival){.task.run = arrive, .listener = l, .conn = conn, .fd = fd};
    fy_loop_post(loop, &a->task);
    return 0;
}

static void take(ferry_listener *l, int fd)
{
    struct fy_peer *peer = NULL;
    int error = enter(l, fd, &peer);
    if (error == 0 && (error = hand_over(l, fd, peer)) < 0)
        uncount(l, peer);
    if (error < 0)
        refuse(l, fd);
}

static void tell_pause(ferry_listener *l, int error)
{
    uint64_t now = home(l)->now;
    if (now < l->quiet)
        return;
    fy_log(FERRY_LOG_WARNING, "%s: accepting paused: %s", l->address, strerror(-error));
    l->quiet = now + QUIET_S * FY_SECOND;
    l->told = true;
}

static void pause_accepting(ferry_listener *l, int error)
{
    if (l->pause_ms == 0)
        tell_pause(l, error);
    l->pause_ms = l->pause_ms == 0 ? PAUSE_MIN_MS : l->pause_ms * 2 < PAUSE_MAX_MS ? l->pause_ms * 2 : PAUSE_MAX_MS;
    atomic_fetch_add(&l->pauses, 1);
    atomic_store(&l->paused, true);
    if (!fy_timer_arm(&home(l)->timers, &l->retry, home(l)->now + l->pause_ms * FY_MS) &&
        atomic_exchange(&l->paused, false))
        fy_loop_post(home(l), &l->resuming);
}

static void resume(ferry_listener *l)
{
    fy_timer_disarm(&home(l)->timers, &l->retry);
    if (l->source.live)
        fy_poll_request(home(l)->poll, &l->source, FY_WANT_ACCEPT);
}

static void retry(struct fy_timer *timer)
{
    ferry_listener *l = FY_CONTAINER(timer, ferry_listener, retry);
    if (atomic_exchange(&l->paused, false))
        resume(l);
}

static void run_resuming(struct fy_task *task)
{
    resume(FY_CONTAINER(task, ferry_listener, resuming));
}

static void accepted(struct fy_source *source, const struct fy_completion *completion)
{
    ferry_listener *l = FY_CONTAINER(source, ferry_listener, source);
    if (completion->event != FY_ACCEPTED)
        return;
    if (completion->result < 0) {
        pause_accepting(l, (int)completion->result);
        return;
    }
    if (l->told)
        fy_log(FERRY_LOG_INFO, "%s: accepting again", l->address);
    l->told = false;
    l->pause_ms = 0;
    take(l, (int)completion->result);
}

static void start(struct fy_task *task)
{
    ferry_listener *l = FY_CONTAINER(task, ferry_listener, starting);
    if (atomic_load(&l->stop_asked) || home(l)->stopping) {
        fy_listener_stop(l);
        return;
    }
    int error = fy_poll_add(home(l)->poll, &l->source);
    if (error < 0) {
        fy_log(FERRY_LOG_ERROR, "%s: cannot be watched: %s", l->address, strerror(-error));
        fy_listener_stop(l);
        return;
    }
    fy_poll_request(home(l)->poll, &l->source, FY_WANT_ACCEPT);
}

/* NULL: it has no socket file. */
static const char *path_of(const ferry_listener *l)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&l->at.storage;
    return un->sun_family == AF_UNIX && un->sun_path[0] != '\0' ? un->sun_path : NULL;
}

static void note_file(ferry_listener *l)
{
    const char *path = path_of(l);
    struct stat st = {0};
    if (path)
        fy_sys_stat_socket(path, &st);
    l->device = st.st_dev;
    l->inode = st.st_ino;
}

/* Another server may have taken the path since. That file is not ours. */
static void remove_file(const ferry_listener *l)
{
    const char *path = path_of(l);
    struct stat st;
    if (path && fy_sys_stat_socket(path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
        fy_sys_unlink_socket(path);
}

void fy_listener_stop(ferry_listener *l)
{
    if (l->source.fd < 0)
        return;
    if (l->source.live)
        fy_poll_remove(home(l)->poll, &l->source);
    fy_timer_disarm(&home(l)->timers, &l->retry);
    fy_sys_close(l->source.fd);
    l->source.fd = -1;
    remove_file(l);
}

static void run_stopping(struct fy_task *task)
{
    fy_listener_stop(FY_CONTAINER(task, ferry_listener, stopping));
}

void ferry_listener_close(ferry_listener *listener)
{
    if (!atomic_exchange(&listener->stop_asked, true))
        fy_loop_post(home(listener), &listener->stopping);
}

void fy_listener_free(ferry_listener *l)
{
    fy_peers_fini(&l->peers);
    free(l);
}

static int init_listener(ferry_listener *l, const char *address, const ferry_service *user)
{
    struct fy_addr addr;
    int error = fy_addr_parse(address, &addr);
    if (error == 0)
        error = fy_service_init(&l->service, user, &l->pool->budget);
    if (error < 0)
        return error;
    l->service.gone = gone;
    l->source.done = accepted;
    l->starting.run = start;
    l->stopping.run = run_stopping;
    l->resuming.run = run_resuming;
    l->retry.fire = retry;
    l->source.fd = fy_sock_listen(&addr, &user->socket);
    if (l->source.fd < 0)
        return l->source.fd;
    error = fy_sys_local(l->source.fd, &l->at.storage, &l->at.len);
    if (error == 0)
        error = fy_addr_format(&l->at, l->address, sizeof l->address);
    if (error < 0) {
        fy_sys_close(l->source.fd);
        return error;
    }
    note_file(l);
    return 0;
}

ferry_listener *ferry_listen(ferry_pool *pool, const char *address, const ferry_service *service)
{
    ferry_listener *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->pool = pool;
    fy_peers_init(&l->peers);
    int error = init_listener(l, address, service);
    if (error < 0) {
        fy_listener_free(l);
        errno = -error;
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    fy_list_append(&pool->listeners, &l->link);
    pthread_mutex_unlock(&pool->lock);
    fy_loop_post(home(l), &l->starting);
    return l;
}

const char *ferry_listener_address(const ferry_listener *listener)
{
    return listener->address;
}

void ferry_listener_stats(const ferry_listener *listener, ferry_accept_stats *stats)
{
    *stats = (ferry_accept_stats){
        .accepted = listener->accepted,
        .refused = listener->refused,
        .pauses = listener->pauses,
        .open = listener->open,
    };
}
