/* SPDX-License-Identifier: MIT
 *
 * Solves sudokus: a line `[ID:]81 digits`, an answer with the same id. The idea: with --workers the loop only reads, and
 * the thread that has solved a puzzle answers by itself: ferry_send() may be called from anywhere, and so may
 * ferry_conn_resume(), which ends a pause. So nothing is handed back to the loop, and answers come in any order. Without
 * workers the loop solves, answers come in the order of their requests, and after some it lets the others have a turn.
 *
 *   $ ./sudoku --workers 2 --stats 127.0.0.1:9982 &
 *   $ printf '1:%081d\r\n' 0 | nc -N 127.0.0.1 9981
 *   $ nc 127.0.0.1 9982
 */
#include "sudoku_server.h"

#include <stdlib.h>
#include <string.h>

typedef struct session {
    in_flight flight; /* the first, so that one pointer is the other */
    sudoku_server *server;
    bool slow;            /* the client does not read its answers: no more of them */
    const char *farewell; /* what is said behind the last answer; NULL = more requests may come */
} session;

static void say_farewell(session *s)
{
    ferry_send(s->flight.conn, s->farewell, strlen(s->farewell));
    ferry_close(s->flight.conn);
}

/* On a worker's thread, when it has answered. */
static void landed(in_flight *flight)
{
    in_flight_news news = in_flight_land(flight);
    if (news == IN_FLIGHT_ROOM)
        ferry_conn_resume(flight->conn);
    else if (news == IN_FLIGHT_END)
        say_farewell((session *)flight);
}

static void end(session *s, const char *farewell)
{
    if (s->farewell)
        return;
    s->farewell = farewell;
    if (in_flight_has_ended(&s->flight))
        say_farewell(s);
}

static void read_on(void *arg)
{
    ferry_conn *conn = arg;
    ferry_conn_resume(conn);
    ferry_conn_unref(conn);
}

/* Others come first, then it goes on with what is left. */
static void wait_turn(ferry_conn *conn)
{
    ferry_conn_pause(conn);
    ferry_post(ferry_conn_loop(conn), read_on, ferry_conn_ref(conn));
}

/* A worker may have made room, and resumed, before there was a pause to end: so it is looked for again. */
static bool has_room(session *s)
{
    if (!s->slow && in_flight_has_room(&s->flight))
        return true;
    ferry_conn_pause(s->flight.conn);
    if (!s->slow && in_flight_has_room(&s->flight))
        ferry_conn_resume(s->flight.conn);
    return false;
}

static void refuse(session *s, sudoku_verdict verdict)
{
    sudoku_stats_bad(&s->server->stats);
    end(s, sudoku_line_complaint(verdict));
}

static size_t take_lines(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    session *s = ferry_conn_context(conn);
    sudoku_server *server = arg;
    sudoku_request request;
    size_t used = 0, line;
    for (unsigned long taken = 0; !s->farewell; taken++) {
        sudoku_verdict verdict = sudoku_line_read((const char *)data + used, len - used, &request, &line);
        if (verdict == SUDOKU_UNFINISHED)
            return used;
        if (verdict != SUDOKU_REQUEST) {
            refuse(s, verdict);
            break;
        }
        if (taken == server->in_flight) {
            wait_turn(conn);
            return used;
        }
        if (!has_room(s))
            return used;
        if (sudoku_server_take(server, &s->flight, &request, landed) < 0) {
            ferry_abort(conn);
            break;
        }
        used += line;
    }
    return len; /* behind what was no request nothing counts */
}

static void end_input(ferry_conn *conn, void *arg)
{
    (void)arg;
    end(ferry_conn_context(conn), "");
}

static void stop_reading(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    session *s = ferry_conn_context(conn);
    s->slow = true;
    ferry_conn_pause(conn);
}

static void start_reading(ferry_conn *conn, size_t pending, void *arg)
{
    (void)pending, (void)arg;
    session *s = ferry_conn_context(conn);
    s->slow = false;
    ferry_conn_resume(conn);
}

static void free_session(void *context)
{
    session *s = context;
    in_flight_fini(&s->flight);
    free(s);
}

static void open_session(ferry_conn *conn, void *arg)
{
    sudoku_server *server = arg;
    session *s = calloc(1, sizeof *s);
    if (!s) {
        ferry_abort(conn);
        return;
    }
    in_flight_init(&s->flight, conn, server->in_flight);
    s->server = server;
    ferry_conn_set_context(conn, s, free_session);
}

int main(int argc, char **argv)
{
    sudoku_server server;
    sudoku_server_parse(&server, argc, argv);
    ferry_service service = {
        .arg = &server,
        .on_open = open_session,
        .on_data = take_lines,
        .on_eof = end_input,
        .on_high_water = stop_reading,
        .on_low_water = start_reading,
    };
    return sudoku_server_run(&server, &service);
}
