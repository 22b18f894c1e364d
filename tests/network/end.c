/* SPDX-License-Identifier: MIT
 *
 * One end of a connection, with the time limits that the command line asks for: sends a pattern, checks the one that comes,
 * and says how it ended.
 *
 *   end [NAME=VALUE]... listen|connect ADDRESS
 *
 * "listening on ADDRESS" tells that it listens, "under way" that bytes have come; then, at the end of each connection,
 * "closed: REASON, VERDICT, received N, acknowledged N, unsent N". One that connects ends then.
 */
#include "pattern.h"

#include <err.h>
#include <errno.h>
#include <ferry/ferry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4 * 1024 * 1024 };

/* What the command line may set; times in milliseconds, but for keepalive. */
static struct {
    unsigned long coroutine, send, read, keepalive, user_timeout, idle_timeout, linger, min_rate;
} set = {.read = 1};

static const struct {
    const char *name;
    unsigned long *number;
} settings[] = {
    {"coroutine", &set.coroutine},
    {"send", &set.send},
    {"read", &set.read},
    {"keepalive", &set.keepalive},
    {"user_timeout", &set.user_timeout},
    {"idle_timeout", &set.idle_timeout},
    {"linger", &set.linger},
    {"min_rate", &set.min_rate},
};

/* A connection's context. */
struct end {
    ferry_conn *conn;
    struct pattern out, in;
    bool told;
};

static const char *const verdicts[] = {
    [FERRY_VERDICT_OPEN] = "open",   [FERRY_VERDICT_ACKED] = "acknowledged",  [FERRY_VERDICT_UNCERTAIN] = "uncertain",
    [FERRY_VERDICT_RESET] = "reset", [FERRY_VERDICT_TIMED_OUT] = "timed out",
};

static void say(const char *line)
{
    puts(line);
    fflush(stdout);
}

static void tell(struct end *end)
{
    if (!end->told)
        say("under way");
    end->told = true;
}

static struct end *end_new(ferry_conn *conn)
{
    struct end *end = calloc(1, sizeof *end);
    if (!end)
        err(1, "no memory");
    end->conn = conn;
    ferry_conn_set_context(conn, end, free);
    return end;
}

/* Sends the next piece. After the last one comes the end. Returns whether there is another. */
static bool send_piece(struct end *end)
{
    if (end->out.at == set.send)
        return false;
    size_t len = set.send - end->out.at < PIECE ? (size_t)(set.send - end->out.at) : PIECE;
    void *piece = malloc(len);
    if (!piece)
        err(1, "no memory");
    pattern_fill(&end->out, piece, len);
    ferry_send_owned(end->conn, piece, len, free);
    if (end->out.at == set.send && set.linger)
        ferry_close(end->conn);
    else if (end->out.at == set.send)
        ferry_shutdown(end->conn);
    return true;
}

static void check(struct end *end, const void *data, size_t len)
{
    if (pattern_match(&end->in, data, len) < len)
        errx(3, "the byte at %llu is wrong", (unsigned long long)end->in.at);
    tell(end);
}

/* Callbacks. */

static void on_open(ferry_conn *conn, void *arg)
{
    struct end *end = end_new(conn);
    (void)arg;
    if (!set.read)
        ferry_conn_pause(conn);
    send_piece(end);
}

static void on_drain(ferry_conn *conn, void *arg)
{
    (void)arg;
    send_piece(ferry_conn_context(conn));
}

static size_t on_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    check(ferry_conn_context(conn), data, len);
    return len;
}

/* Coroutines: one sends, one receives. */

static void send_all(void *arg)
{
    struct end *end = arg;
    while (send_piece(end) && ferry_flush(end->conn) == 0)
        ;
}

static void receive_all(struct end *end)
{
    const void *data;
    ssize_t len;
    while (!set.read && ferry_conn_error(end->conn) == 0)
        ferry_sleep(20);
    while ((len = ferry_peek(end->conn, &data)) > 0) {
        check(end, data, (size_t)len);
        ferry_consume(end->conn, (size_t)len);
    }
}

static void serve(ferry_conn *conn, void *arg)
{
    struct end *end = end_new(conn);
    (void)arg;
    ferry_co *sender = ferry_spawn(ferry_conn_loop(conn), send_all, end);
    if (!sender)
        err(1, "no memory");
    receive_all(end);
    ferry_join(sender);
}

static void on_close(ferry_conn *conn, int reason, void *pool)
{
    ferry_stats stats;
    ferry_conn_stats(conn, &stats);
    printf("closed: %s, %s, received %llu, acknowledged %llu, unsent %llu\n", reason ? strerrorname_np(-reason) : "0",
           verdicts[stats.verdict], (unsigned long long)stats.received, (unsigned long long)stats.acknowledged,
           (unsigned long long)stats.unsent);
    fflush(stdout);
    if (pool)
        ferry_pool_stop(pool);
}

static ferry_service service_of(ferry_pool *stopped_at_the_end)
{
    ferry_service service = {
        .arg = stopped_at_the_end,
        .on_close = on_close,
        .high_water = 2 * PIECE, /* no sender is held back in the middle of a piece */
        .idle_timeout_ms = (unsigned)set.idle_timeout,
        .linger_ms = (unsigned)set.linger,
        .min_send_rate = set.min_rate,
        .socket = {.keepalive_s = (unsigned)set.keepalive,
                   .keepalive_interval_s = 1,
                   .keepalive_count = 2,
                   .user_timeout_ms = (unsigned)set.user_timeout},
    };
    if (set.coroutine) {
        service.serve = serve;
        return service;
    }
    service.on_open = on_open;
    service.on_drain = on_drain;
    service.on_data = on_data;
    return service;
}

static void start(ferry_pool *pool, bool listens, const char *address)
{
    ferry_service service = service_of(listens ? NULL : pool);
    if (!listens) {
        int error = ferry_connect(ferry_pool_loop(pool, 0), address, &service, NULL);
        if (error < 0)
            errx(1, "%s: %s", address, ferry_strerror(error));
        return;
    }
    ferry_listener *listener = ferry_listen(pool, address, &service);
    if (!listener)
        err(1, "%s", address);
    printf("listening on %s\n", ferry_listener_address(listener));
    fflush(stdout);
}

static void read_setting(const char *text)
{
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals && i < sizeof settings / sizeof *settings; i++) {
        size_t len = strlen(settings[i].name);
        if (strncmp(settings[i].name, text, len) == 0 && text[len] == '=') {
            *settings[i].number = strtoul(equals + 1, NULL, 10);
            return;
        }
    }
    errx(2, "no such setting: %s", text);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        errx(2, "usage: end [NAME=VALUE]... listen|connect ADDRESS");
    for (int i = 1; i < argc - 2; i++)
        read_setting(argv[i]);
    ferry_pool *pool = ferry_pool_new(&(ferry_pool_options){.threads = 1, .handle_signals = true});
    if (!pool)
        err(1, "cannot start");
    start(pool, strcmp(argv[argc - 2], "listen") == 0, argv[argc - 1]);
    int error = ferry_pool_run(pool);
    ferry_pool_free(pool);
    if (error < 0)
        errx(1, "cannot run: %s", ferry_strerror(error));
    return 0;
}
