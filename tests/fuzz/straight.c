/* SPDX-License-Identifier: MIT
 *
 * Straight-line input against a model. The first bytes are a program of calls, the rest is what the peer writes, in
 * pieces: each call must return what the whole of the stream and the position in it say, wherever the pieces end.
 *
 *      program length (1) | delimiter length, piece length, capacity (1 each) | program | stream
 */
#include "fuzz.h"

#include <errno.h>
#include <ferry/co.h>
#include <ferry/ferry.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { TURNS = 100000, MOST = 256 };

static struct {
    struct fuzz_input program;
    const uint8_t *stream;
    size_t size, at;
    size_t cap;
    char delimiter[4];
    bool done;
} now;

static bool matches(const void *bytes, size_t len)
{
    return len <= now.size - now.at && memcmp(bytes, now.stream + now.at, len) == 0;
}

/* What ferry_recv_until() is to return. */
static ssize_t model_until(size_t cap)
{
    size_t left = now.size - now.at, len = strlen(now.delimiter);
    const uint8_t *from = now.stream + now.at;
    const uint8_t *found = memmem(from, left < cap ? left : cap, now.delimiter, len);
    if (found)
        return found - from + (ssize_t)len;
    return left < cap ? 0 : -EMSGSIZE;
}

/* One call each, whose bytes go to `bytes`: how many. */

static ssize_t until(ferry_conn *conn, char *bytes)
{
    ssize_t expected = model_until(now.cap);
    ssize_t n = ferry_recv_until(conn, bytes, now.cap, now.delimiter);
    MUST(n == expected);
    if (n == -EMSGSIZE)
        n = ferry_recv(conn, bytes, now.cap);
    return n;
}

static ssize_t exact(ferry_conn *conn, char *bytes, size_t len)
{
    size_t left = now.size - now.at;
    ssize_t n = ferry_recv_exact(conn, bytes, len);
    MUST(n == (ssize_t)(left < len ? left : len));
    return n;
}

static ssize_t peek(ferry_conn *conn, char *bytes, size_t most)
{
    const void *lent;
    ssize_t n = ferry_peek(conn, &lent);
    MUST(n >= 0 && (n == 0 || matches(lent, (size_t)n)));
    if (n > (ssize_t)most)
        n = (ssize_t)most;
    if (n > 0)
        memcpy(bytes, lent, (size_t)n);
    ferry_consume(conn, (size_t)n);
    return n;
}

static ssize_t call(ferry_conn *conn, char *bytes)
{
    uint8_t op = fuzz_byte(&now.program);
    size_t len = (op >> 2) + 1U;
    switch (op & 3) {
    case 0:
        return until(conn, bytes);
    case 1:
        return exact(conn, bytes, len);
    case 2:
        return ferry_recv(conn, bytes, len);
    default:
        return peek(conn, bytes, len);
    }
}

/* False: the input has ended. */
static bool step(ferry_conn *conn)
{
    char bytes[MOST];
    ssize_t n = call(conn, bytes);
    MUST(n >= 0 && matches(bytes, (size_t)n));
    now.at += (size_t)n;
    return n > 0;
}

static void serve(ferry_conn *conn, void *arg)
{
    (void)arg;
    while (step(conn))
        ;
    now.done = true;
}

static ferry_loop *loop;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_len;

static void start(void)
{
    static const ferry_service service = {.serve = serve};
    char name[64];
    int len = snprintf(name, sizeof name, "unix:@ferry-fuzz-straight-%d", (int)getpid());
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    MUST(pool != NULL);
    MUST(ferry_listen(pool, name, &service) != NULL);
    loop = ferry_pool_loop(pool, 0);
    memcpy(address.sun_path + 1, name + strlen("unix:@"), (size_t)len - strlen("unix:@"));
    address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len - strlen("unix:@"));
}

static void turn(void)
{
    MUST(ferry_loop_turn(loop, 0) == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    size_t program = fuzz_byte(&input) % 64U, delimiter = fuzz_byte(&input) % 3U + 1U;
    size_t piece = fuzz_byte(&input) + 1U;
    memset(&now, 0, sizeof now);
    now.cap = fuzz_byte(&input) % (unsigned)MOST + 1U;
    for (size_t i = 0; i < delimiter; i++)
        now.delimiter[i] = (char)('a' + fuzz_byte(&input) % 2);
    now.program = (struct fuzz_input){input.data, program < input.left ? program : input.left};
    now.stream = input.data + now.program.left;
    now.size = input.left - now.program.left;
    if (!loop)
        start();
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, address_len) == 0);
    for (size_t at = 0; at < now.size && !now.done; at += piece) {
        size_t len = now.size - at < piece ? now.size - at : piece;
        MUST(send(fd, now.stream + at, len, MSG_NOSIGNAL) == (ssize_t)len || now.done);
        turn();
    }
    shutdown(fd, SHUT_WR);
    for (int i = 0; !now.done; i++) {
        MUST(i < TURNS);
        turn();
    }
    close(fd);
    ferry_loop_counters counters;
    do {
        turn();
        ferry_loop_stats(loop, &counters);
    } while (counters.conns > 0);
    return 0;
}
