/* SPDX-License-Identifier: MIT
 *
 * Programs of API calls, on two connections with tiny buffers and a peer that this program is, too: two bytes a call,
 * what and how much. What the peer gets is a prefix of what was accepted, in order; all of it, if the connection ended
 * in order; and whatever becomes of a connection, it closes once, and all that was lent or given to it comes back.
 */
#include "fuzz.h"

#include <errno.h>
#include <ferry/ferry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNS = 2, PERIOD = 251, MOST = 64 * 1024, TURNS = 100000 };

struct side {
    ferry_conn *conn;                    /* a reference */
    int fd;                              /* the peer's end; -1 = closed */
    uint64_t accepted, got, said, heard; /* bytes: to the peer, at the peer, and back */
    unsigned opened, closed;
    int reason;
    bool cut; /* the peer went, or it was aborted: the end may come early */
};

struct call {
    struct side *side;
    uint8_t op, how_much;
};

static struct side sides[CONNS];
static ferry_loop *loop;
static ferry_file *file;
static unsigned accepted_count;
static unsigned lent, released; /* owned messages */
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;

/* The stream of each direction, at any place of it. */
static const uint8_t *stream(uint64_t at)
{
    static uint8_t bytes[MOST + PERIOD];
    if (bytes[1] == 0)
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i % PERIOD);
    return bytes + at % PERIOD;
}

static void on_open(ferry_conn *conn, void *arg)
{
    struct side *side = &sides[accepted_count++ % CONNS];
    (void)arg;
    MUST(side->opened++ == 0);
    side->conn = ferry_conn_ref(conn);
    ferry_conn_set_context(conn, side, NULL);
}

/* Takes half of it, and so all of it, bit by bit. */
static size_t on_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct side *side = ferry_conn_context(conn);
    size_t used = (len + 1) / 2;
    (void)arg;
    MUST(len > 0 && side->heard + len <= side->said);
    MUST(memcmp(data, stream(side->heard), used) == 0);
    side->heard += used;
    return used;
}

static void on_eof(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

static void on_close(ferry_conn *conn, int reason, void *arg)
{
    struct side *side = ferry_conn_context(conn);
    (void)arg;
    MUST(side->closed++ == 0);
    MUST(reason == ferry_conn_error(conn));
    side->reason = reason;
}

static void send_blob(struct side *side, size_t len)
{
    ferry_blob *blob = ferry_blob_new(stream(side->accepted), len);
    MUST(blob != NULL);
    ferry_send_blob(side->conn, blob);
    ferry_blob_unref(blob);
}

static void send_parts(struct side *side, size_t len)
{
    char *bytes = (char *)(uintptr_t)stream(side->accepted);
    const struct iovec parts[] = {{bytes, len / 3}, {bytes + len / 3, 0}, {bytes + len / 3, len - len / 3}};
    ferry_sendv(side->conn, parts, 3);
}

static void release(void *data)
{
    (void)data;
    released++;
}

static void send_owned(struct side *side, size_t len)
{
    lent++;
    ferry_send_owned(side->conn, (void *)(uintptr_t)stream(side->accepted), len, release);
}

/* What was accepted of a send is what the counters say was. */
static void send_some(struct side *side, unsigned how, size_t len)
{
    ferry_stats before, after;
    ferry_conn_stats(side->conn, &before);
    switch (how) {
    case 0:
        ferry_send(side->conn, stream(side->accepted), len);
        break;
    case 1:
        send_parts(side, len);
        break;
    case 2:
        send_owned(side, len);
        break;
    case 3:
        send_blob(side, len);
        break;
    default:
        ferry_send_file(side->conn, file, side->accepted % PERIOD, len);
        break;
    }
    ferry_conn_stats(side->conn, &after);
    uint64_t more = after.queued - before.queued;
    MUST(more == 0 || more == len);
    MUST(more == len || len == 0 || after.drops == before.drops + 1 || after.queued == 0 ||
         ferry_conn_error(side->conn) != 0);
    side->accepted += more;
}

static void peer_write(struct side *side, size_t len)
{
    if (side->fd < 0)
        return;
    ssize_t n = send(side->fd, stream(side->said), len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        side->said += (uint64_t)n;
}

/* How many it were; 0 = the end, -1 = none as yet. */
static ssize_t peer_read(struct side *side, size_t len)
{
    static uint8_t bytes[MOST];
    if (side->fd < 0)
        return 0;
    ssize_t n = recv(side->fd, bytes, len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN ? -1 : 0;
    MUST((uint64_t)n <= side->accepted - side->got);
    MUST(memcmp(bytes, stream(side->got), (size_t)n) == 0);
    side->got += (uint64_t)n;
    return n;
}

static void peer_leave(struct side *side, bool whole)
{
    if (side->fd < 0)
        return;
    if (!whole) {
        shutdown(side->fd, SHUT_WR);
        return;
    }
    close(side->fd);
    side->fd = -1;
    side->cut = true;
}

static void turn(void)
{
    MUST(ferry_loop_turn(loop, 0) == 1);
}

static void run_call(void *arg)
{
    const struct call *call = arg;
    struct side *side = call->side;
    unsigned much = call->how_much;
    switch (call->op & 15) {
    case 5:
        ferry_shutdown(side->conn);
        break;
    case 6:
        ferry_close(side->conn);
        break;
    case 7:
        if (much < 32) {
            side->cut = true;
            ferry_abort(side->conn);
        }
        break;
    case 8:
        ferry_conn_pause(side->conn);
        break;
    case 9:
        ferry_conn_resume(side->conn);
        break;
    case 10:
        peer_write(side, much * 37U);
        break;
    case 11:
        (void)peer_read(side, much * 101U + 1);
        break;
    case 12:
        peer_leave(side, much < 16);
        break;
    case 13:
    case 14:
        send_some(side, much % 5, much * 255U);
        break;
    default:
        send_some(side, call->op & 15, much);
        break;
    }
}

/* Outside of the loop, as another thread would, or inside. */
static void make_call(struct call *call, bool inside)
{
    if (!inside) {
        run_call(call);
        return;
    }
    ferry_post(loop, run_call, call);
    turn();
}

static void start(void)
{
    static const ferry_service service = {.on_open = on_open,
                                          .on_data = on_data,
                                          .on_eof = on_eof,
                                          .on_close = on_close,
                                          .max_pending = 48 * 1024,
                                          .overflow = FERRY_OVERFLOW_DROP,
                                          .socket.send_buffer = 4096};
    char name[64];
    int len = snprintf(name, sizeof name, "unix:@ferry-fuzz-calls-%d", (int)getpid());
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    MUST(pool != NULL && ferry_listen(pool, name, &service) != NULL);
    loop = ferry_pool_loop(pool, 0);
    memcpy(address.sun_path + 1, name + strlen("unix:@"), (size_t)len - strlen("unix:@"));
    address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len - strlen("unix:@"));
    int fd = memfd_create("stream", MFD_CLOEXEC);
    MUST(fd >= 0 && write(fd, stream(0), MOST) == MOST);
    file = ferry_file_from_fd(fd);
    MUST(file != NULL);
}

static void connect_all(void)
{
    memset(sides, 0, sizeof sides);
    accepted_count = 0;
    for (unsigned i = 0; i < CONNS; i++) {
        sides[i].fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        MUST(sides[i].fd >= 0 && connect(sides[i].fd, (struct sockaddr *)&address, address_len) == 0);
        for (int turns = 0; sides[i].opened == 0; turns++) {
            MUST(turns < TURNS);
            turn();
        }
    }
}

/* All that is left comes out, and then the end. */
static void finish(struct side *side)
{
    ferry_stats stats;
    ferry_conn_resume(side->conn);
    ferry_close(side->conn);
    for (int turns = 0; peer_read(side, MOST) != 0; turns++) {
        MUST(turns < TURNS);
        turn();
    }
    peer_leave(side, true);
    for (int turns = 0; side->closed == 0; turns++) {
        MUST(turns < TURNS);
        turn();
    }
    ferry_conn_stats(side->conn, &stats);
    MUST(stats.queued == side->accepted && stats.written + stats.unsent == stats.queued);
    MUST(side->got <= stats.written);
    if (side->reason == 0 && stats.written == stats.queued && stats.verdict == FERRY_VERDICT_ACKED)
        MUST(side->got == side->accepted || side->cut);
    ferry_conn_unref(side->conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    if (!loop)
        start();
    connect_all();
    while (input.left >= 2) {
        uint8_t op = fuzz_byte(&input);
        struct call call = {&sides[(op >> 4) % CONNS], op, fuzz_byte(&input)};
        make_call(&call, (op & 32) != 0);
        if (op & 64)
            turn();
    }
    for (unsigned i = 0; i < CONNS; i++)
        finish(&sides[i]);
    turn();
    MUST(released == lent);
    return 0;
}
