/* SPDX-License-Identifier: MIT
 *
 * Run on a foreign processor: what a context switch must preserve, many coroutines at once, and an echo in straight lines.
 */
#include <fenv.h>
#include <ferry/ferry.h>
#include <stdlib.h>
#include <string.h>

enum { COROUTINES = 200, ROUNDS = 20, BYTES = 1 << 20 };

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "aarch64: %s\n", what);
    exit(1);
}

/* Integer and floating-point values in registers across switches, and each coroutine's own rounding. */
static void compute(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    double d = seed + 0.5, e = seed * 2.0, f = seed * 3.0, g = seed * 4.0;
    unsigned long a = seed, b = seed * 3UL, c = seed * 5UL;
    int rounding = seed % 2 ? FE_UPWARD : FE_DOWNWARD;
    fesetround(rounding);
    for (int i = 0; i < ROUNDS; i++) {
        a += b;
        d += e;
        ferry_yield();
        b += c;
        f += g;
        need(fegetround() == rounding, "the rounding of another coroutine");
    }
    need(a == seed + seed * 3UL * ROUNDS + seed * 5UL * (ROUNDS * (ROUNDS - 1) / 2), "an integer register");
    need(d == seed + 0.5 + seed * 2.0 * ROUNDS && f == seed * 3.0 + seed * 4.0 * ROUNDS, "a floating-point register");
}

static void switch_many(void)
{
    static unsigned seeds[COROUTINES];
    ferry_co *cos[COROUTINES];
    for (unsigned i = 0; i < COROUTINES; i++) {
        seeds[i] = i + 1;
        cos[i] = ferry_spawn(ferry_loop_current(), compute, &seeds[i]);
    }
    for (int i = 0; i < COROUTINES; i++)
        need(ferry_join(cos[i]) == 0, "join");
}

static void echo(ferry_conn *conn, void *arg)
{
    const void *data;
    ssize_t n;
    (void)arg;
    while ((n = ferry_peek(conn, &data)) > 0) {
        ferry_send(conn, data, (size_t)n);
        ferry_consume(conn, (size_t)n);
    }
}

static void talk(const char *address)
{
    ferry_conn *conn = ferry_dial(address, 0);
    char *sent = malloc(BYTES), *back = malloc(BYTES);
    need(conn && sent && back, "dial");
    for (int i = 0; i < BYTES; i++)
        sent[i] = (char)(i * 31 + i / 255);
    ferry_send(conn, sent, BYTES);
    ferry_shutdown(conn);
    need(ferry_recv_exact(conn, back, BYTES) == BYTES && memcmp(sent, back, BYTES) == 0, "the echo");
    need(ferry_recv(conn, back, 1) == 0, "its end");
    ferry_close(conn);
    ferry_conn_unref(conn);
    free(sent);
    free(back);
}

static ferry_pool *pool;

static void run(void *address)
{
    switch_many();
    talk(address);
    ferry_pool_stop(pool);
}

int main(void)
{
    const ferry_service service = {.serve = echo};
    pool = ferry_pool_new(&(ferry_pool_options){.threads = 1});
    ferry_listener *listener = pool ? ferry_listen(pool, "127.0.0.1:0", &service) : NULL;
    need(listener != NULL, "listen");
    ferry_spawn(ferry_pool_loop(pool, 0), run, (void *)ferry_listener_address(listener));
    need(ferry_pool_run(pool) == 0, "run");
    ferry_pool_free(pool);
    return 0;
}
