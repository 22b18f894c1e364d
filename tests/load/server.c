/* SPDX-License-Identifier: MIT
 *
 * The server that is put under load: load_server [FLAG]... FILE
 *
 * Both styles in one process. It says where it listens, a line each: the report; echo, file and line by callbacks; the
 * same by coroutines. A connection to the report gets one line, names and numbers: how many connections there were, how
 * they ended, and how many bytes of the heap are in use.
 */
#include "descriptors.h"
#include "example.h"
#include "service.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>

enum { LINGER_MS = 60 * 1000, SEND_BUFFER = 64 * 1024 };

void load_opened(struct load *load)
{
    atomic_fetch_add(&load->opened, 1);
}

static enum ending ending_of(int reason)
{
    switch (reason) {
    case 0:
        return ORDERLY;
    case -ECONNRESET:
    case -EPIPE:
        return RESET;
    case -ETIMEDOUT:
        return TIMED_OUT;
    case -EMSGSIZE:
        return TOO_LONG;
    case -ENOBUFS:
        return TOO_MUCH;
    case -ECONNABORTED:
        return ABORTED;
    default:
        return OTHER;
    }
}

void load_closed(ferry_conn *conn, int reason, void *arg)
{
    struct load *load = arg;
    (void)conn;
    atomic_fetch_add(&load->ended[ending_of(reason)], 1);
}

void load_send_file(ferry_conn *conn, const struct load *load)
{
    ferry_file *file = ferry_file_open(load->file);
    if (file)
        ferry_send_file(conn, file, 0, FERRY_TO_END);
    else
        ferry_abort(conn); /* a FIN would say that this was all */
    ferry_file_unref(file);
}

/* AddressSanitizer, which has an allocator of its own, knows; elsewhere the name stands for nothing. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_in_use(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void report(ferry_conn *conn, void *arg)
{
    static const char *const names[ENDINGS] = {"orderly",  "reset",   "timed_out", "too_long",
                                               "too_much", "aborted", "other"};
    struct load *load = arg;
    char line[512];
    int len = snprintf(line, sizeof line, "opened %lu heap %zu", atomic_load(&load->opened), heap_in_use());
    for (int i = 0; i < ENDINGS; i++)
        len += snprintf(line + len, sizeof line - (size_t)len, " %s %lu", names[i], atomic_load(&load->ended[i]));
    ferry_send(conn, line, (size_t)len);
    ferry_close(conn);
}

static int listen_as(ferry_pool *pool, const example_flags *flags, ferry_service service, struct load *load)
{
    service.arg = load;
    if (!service.on_close)
        service.on_close = load_closed;
    service.linger_ms = LINGER_MS;
    service.socket.backlog = (int)load->backlog;
    return example_listen(pool, flags->listen, &service);
}

static int listen_for(ferry_pool *pool, const example_flags *flags, struct services services, struct load *load)
{
    services.echo.max_pending = load->pending;
    services.echo.high_water = load->pending / 2; /* a coroutine is parked before that */
    services.echo.min_send_rate = services.file.min_send_rate = load->rate;
    services.echo.socket.send_buffer = services.file.socket.send_buffer = SEND_BUFFER;
    services.file.idle_timeout_ms = services.line.idle_timeout_ms = (unsigned)load->idle_ms;
    services.line.max_input = LINE_MAX_BYTES;
    int status = listen_as(pool, flags, services.echo, load);
    if (status == 0)
        status = listen_as(pool, flags, services.file, load);
    return status == 0 ? listen_as(pool, flags, services.line, load) : status;
}

int main(int argc, char **argv)
{
    static struct load load;
    const example_flag own[] = {
        {"idle", "MS", "of silence before a connection of file or line is closed, 0 = none", &load.idle_ms, 0, 86400000,
         NULL},
        {"rate", "BYTES", "a second that who is sent to must take, 0 = any", &load.rate, 0, 1 << 30, NULL},
        {"pending", "BYTES", "that an echo may have queued, 0 = any", &load.pending, 0, 1 << 30, NULL},
        {"deadline", "MS", "for a line, 0 = none", &load.deadline_ms, 0, 86400000, NULL},
        {"backlog", "N", "connections that wait to be accepted, 0 = the most", &load.backlog, 0, 1 << 20, NULL},
        {0},
    };
    example_flags flags = example_parse(argc, argv,
                                        &(example_usage){.listen = "127.0.0.1:0", .operand = "FILE", .flags = own});
    load.file = flags.operand;
    descriptors_raise();
    ferry_pool *pool = example_pool(&flags);
    int status = example_listen(pool, flags.listen, &(ferry_service){.arg = &load, .on_open = report});
    if (status == 0)
        status = listen_for(pool, &flags, reactor_services, &load);
    if (status == 0)
        status = listen_for(pool, &flags, coroutine_services, &load);
    if (status == 0)
        status = example_run(pool);
    ferry_pool_free(pool);
    return status;
}
