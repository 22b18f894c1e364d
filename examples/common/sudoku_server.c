/* SPDX-License-Identifier: MIT
 *
 * The sudoku servers, but for their connections; see sudoku_server.h.
 */
#include "sudoku_server.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 64, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* A request with a worker. The line is copied: what was read is gone by then. */
typedef struct job {
    struct work work;
    sudoku_server *server;
    in_flight *flight; /* with a reference to its connection */
    void (*landed)(in_flight *flight);
    uint64_t since;
    sudoku_request request;
    char line[];
} job;

void sudoku_server_parse(sudoku_server *server, int argc, char **argv)
{
    *server = (sudoku_server){.in_flight = IN_FLIGHT};
    const example_flag own[] = {
        {"workers", "N", "threads that solve; 0 = the loops do (default: 0)", &server->threads, 0, 1024, NULL},
        {"in-flight", "N", "requests of a connection under way at once (default: 64)", &server->in_flight, 1, 1 << 20,
         NULL},
        {"stats", "ADDRESS", "where the statistics are told", NULL, 0, 0, &server->stats_at},
        {0},
    };
    server->flags = example_parse(argc, argv, &(example_usage){.listen = "127.0.0.1:9981", .flags = own});
}

static void answer(sudoku_server *server, ferry_conn *conn, const sudoku_request *request, uint64_t since)
{
    char solution[SUDOKU_ANSWER_MAX];
    const struct iovec parts[] = {
        {(void *)(uintptr_t)request->id, request->id_len},
        {solution, sudoku_line_answer(request, solution)},
    };
    ferry_sendv(conn, parts, 2);
    sudoku_stats_answer(&server->stats, latency_now() - since);
}

static void run_job(struct work *work)
{
    job *j = (job *)work;
    ferry_conn *conn = j->flight->conn;
    if (ferry_conn_error(conn) == 0)
        answer(j->server, conn, &j->request, j->since);
    else
        sudoku_stats_abandon(&j->server->stats);
    j->landed(j->flight);
    ferry_conn_unref(conn);
    free(j);
}

static job *new_job(sudoku_server *server, in_flight *flight, const sudoku_request *request)
{
    job *j = malloc(sizeof *j + request->id_len + SUDOKU_CELLS);
    if (!j)
        return NULL;
    *j = (job){
        .work.run = run_job,
        .server = server,
        .flight = flight,
        .request = {.id = j->line, .id_len = request->id_len, .puzzle = j->line + request->id_len},
    };
    memcpy(j->line, request->id, request->id_len);
    memcpy(j->line + request->id_len, request->puzzle, SUDOKU_CELLS);
    return j;
}

int sudoku_server_take(sudoku_server *server, in_flight *flight, const sudoku_request *request,
                       void (*landed)(in_flight *flight))
{
    uint64_t since = ferry_loop_now(ferry_conn_loop(flight->conn));
    job *j = server->workers ? new_job(server, flight, request) : NULL;
    if (server->workers && !j)
        return -ENOMEM;
    sudoku_stats_request(&server->stats);
    if (!j) {
        answer(server, flight->conn, request, since);
        return 0;
    }
    j->since = since;
    j->landed = landed;
    ferry_conn_ref(flight->conn);
    in_flight_take(flight);
    workers_add(server->workers, &j->work);
    return 0;
}

static void report(ferry_conn *conn, void *arg)
{
    sudoku_server *server = arg;
    char text[SUDOKU_REPORT_MAX];
    unsigned long queued = server->workers ? workers_queue(server->workers) : 0;
    ferry_send(conn, text, sudoku_stats_report(&server->stats, queued, text));
    ferry_close(conn);
}

static int refuse_stats(const char *address)
{
    if (errno == EINVAL) {
        warnx("--stats takes an address, not '%s'; see --help", address);
        return STATUS_USAGE;
    }
    warn("cannot listen on %s", address);
    return STATUS_FAILED;
}

static int tell_stats(const ferry_listener *listener)
{
    if (printf("statistics on %s\n", ferry_listener_address(listener)) >= 0 && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    warn("cannot write to stdout");
    return STATUS_FAILED;
}

/* The second port is there before anybody is told of the first. */
static int serve(sudoku_server *server, ferry_pool *pool, const ferry_service *service)
{
    const ferry_service stats_service = {.name = "stats", .arg = server, .on_open = report};
    const ferry_listener *stats = server->stats_at ? ferry_listen(pool, server->stats_at, &stats_service) : NULL;
    if (server->stats_at && !stats)
        return refuse_stats(server->stats_at);
    int status = example_listen(pool, server->flags.listen, service);
    if (status == EXIT_SUCCESS && stats)
        status = tell_stats(stats);
    return status == EXIT_SUCCESS ? example_run(pool) : status;
}

int sudoku_server_run(sudoku_server *server, const ferry_service *service)
{
    ferry_pool *pool = example_pool(&server->flags);
    sudoku_stats_init(&server->stats);
    if (server->threads > 0)
        server->workers = workers_new((unsigned)server->threads);
    if (server->threads > 0 && !server->workers)
        err(STATUS_FAILED, "cannot start %lu workers", server->threads);
    int status = serve(server, pool, service);
    if (server->workers)
        workers_free(server->workers); /* while there are still the loops they send by */
    ferry_pool_free(pool);
    sudoku_stats_fini(&server->stats);
    return status;
}
