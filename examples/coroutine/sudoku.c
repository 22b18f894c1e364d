/* SPDX-License-Identifier: MIT
 *
 * Solves sudokus: a line `[ID:]81 digits`, an answer with the same id. The idea: with --workers the coroutine only reads,
 * and the thread that has solved a puzzle answers by itself: ferry_send() may be called from anywhere, and so may
 * ferry_channel_try_send(), which wakes the coroutine. So nothing is handed back to the loop, and answers come in any order.
 * Without workers the coroutine solves, answers come in the order of their requests, and after some it lets the others have
 * a turn.
 *
 *   $ ./sudoku --workers 2 --stats 127.0.0.1:9982 &
 *   $ printf '1:%081d\r\n' 0 | nc -N 127.0.0.1 9981
 *   $ nc 127.0.0.1 9982
 */
#include "sudoku_server.h"

#include <stdlib.h>
#include <string.h>

enum {
    INPUT = 8 << 10,
    HIGH_WATER = 1 << 20,
    STACK = 256 << 10, /* the search for a solution recurses; what it does not touch costs nothing */
};

typedef struct session {
    in_flight flight; /* the first, so that one pointer is the other */
    sudoku_server *server;
    ferry_channel *bell; /* what the coroutine waits by; one ring in it is as good as many */
} session;

/* On a worker's thread, when it has answered. */
static void landed(in_flight *flight)
{
    session *s = (session *)flight;
    if (in_flight_land(flight) != IN_FLIGHT_NO_NEWS)
        ferry_channel_try_send(s->bell, "");
}

static int wait_bell(session *s)
{
    char ring;
    return ferry_channel_recv(s->bell, &ring);
}

/* Also for the client to read its answers: a worker that sends does not wait for it. */
static int wait_room(session *s)
{
    while (!in_flight_has_room(&s->flight)) {
        int error = wait_bell(s);
        if (error < 0)
            return error;
    }
    return ferry_conn_pending(s->flight.conn) > HIGH_WATER ? ferry_flush(s->flight.conn) : 0;
}

/* Takes the whole lines; *used is how many bytes they were. The verdict is the one about what comes behind them. */
static sudoku_verdict take_lines(session *s, const char *data, size_t len, size_t *used)
{
    sudoku_request request;
    sudoku_verdict verdict;
    size_t line;
    *used = 0;
    for (unsigned long taken = 0;; taken++) {
        verdict = sudoku_line_read(data + *used, len - *used, &request, &line);
        if (verdict != SUDOKU_REQUEST)
            return verdict;
        if (taken > 0 && taken % s->server->in_flight == 0)
            ferry_yield(); /* others come first */
        if (wait_room(s) < 0 || sudoku_server_take(s->server, &s->flight, &request, landed) < 0) {
            ferry_abort(s->flight.conn);
            return SUDOKU_UNFINISHED;
        }
        *used += line;
    }
}

/* Until the client ends, or sends what is no request. */
static sudoku_verdict take_input(session *s)
{
    char input[INPUT];
    size_t have = 0, used;
    ssize_t got;
    sudoku_verdict verdict = SUDOKU_UNFINISHED;
    while (verdict == SUDOKU_UNFINISHED && (got = ferry_recv(s->flight.conn, input + have, sizeof input - have)) > 0) {
        have += (size_t)got;
        verdict = take_lines(s, input, have, &used);
        have -= used;
        memmove(input, input + used, have);
    }
    return verdict;
}

static void refuse(session *s, sudoku_verdict verdict)
{
    const char *farewell = sudoku_line_complaint(verdict);
    ferry_send(s->flight.conn, farewell, strlen(farewell));
}

static void free_session(void *context)
{
    session *s = context;
    in_flight_fini(&s->flight);
    ferry_channel_free(s->bell);
    free(s);
}

/* The workers may need it for longer than the coroutine lives, when that is cancelled: so it is the connection's. */
static session *open_session(ferry_conn *conn, sudoku_server *server)
{
    session *s = calloc(1, sizeof *s);
    ferry_channel *bell = ferry_channel_new(1, 1);
    if (!s || !bell) {
        ferry_channel_free(bell);
        free(s);
        return NULL;
    }
    in_flight_init(&s->flight, conn, server->in_flight);
    s->server = server;
    s->bell = bell;
    ferry_conn_set_context(conn, s, free_session);
    return s;
}

static void serve(ferry_conn *conn, void *arg)
{
    session *s = open_session(conn, arg);
    if (!s) {
        ferry_abort(conn);
        return;
    }
    sudoku_verdict verdict = take_input(s);
    if (verdict != SUDOKU_UNFINISHED)
        sudoku_stats_bad(&s->server->stats);
    while (!in_flight_has_ended(&s->flight) && wait_bell(s) >= 0)
        ;
    if (verdict != SUDOKU_UNFINISHED)
        refuse(s, verdict);
}

int main(int argc, char **argv)
{
    sudoku_server server;
    sudoku_server_parse(&server, argc, argv);
    ferry_service service = {
        .name = "sudoku",
        .arg = &server,
        .serve = serve,
        .high_water = HIGH_WATER,
        .stack_size = STACK,
    };
    return sudoku_server_run(&server, &service);
}
