/* SPDX-License-Identifier: MIT
 *
 * One wrapper a call: inside_names.h turns ferry_X of the tests into inside_ferry_X. Calls that may run callbacks
 * (ferry_pool_run, ferry_pool_free, ferry_loop_turn) have none.
 */
#include "inside.h"

#include <ferry/ferry.h>

/* Calls made on the thread's own stack. A coroutine may park inside its call, and the thread go on without it; a callback
 * never runs on a coroutine's stack, and that is all there is to check there. */
static _Thread_local unsigned depth;

bool inside_call(void)
{
    return depth > 0 || ferry_self() != NULL;
}

static void enter(void)
{
    if (ferry_self() == NULL)
        depth++;
}

static void leave(void)
{
    if (ferry_self() == NULL)
        depth--;
}

extern __typeof__(ferry_send) inside_ferry_send;
extern __typeof__(ferry_sendv) inside_ferry_sendv;
extern __typeof__(ferry_send_owned) inside_ferry_send_owned;
extern __typeof__(ferry_send_blob) inside_ferry_send_blob;
extern __typeof__(ferry_send_file) inside_ferry_send_file;
extern __typeof__(ferry_send_file_as) inside_ferry_send_file_as;
extern __typeof__(ferry_transfer_cancel) inside_ferry_transfer_cancel;
extern __typeof__(ferry_shutdown) inside_ferry_shutdown;
extern __typeof__(ferry_close) inside_ferry_close;
extern __typeof__(ferry_abort) inside_ferry_abort;
extern __typeof__(ferry_conn_pause) inside_ferry_conn_pause;
extern __typeof__(ferry_conn_resume) inside_ferry_conn_resume;
extern __typeof__(ferry_post) inside_ferry_post;
extern __typeof__(ferry_after) inside_ferry_after;
extern __typeof__(ferry_every) inside_ferry_every;
extern __typeof__(ferry_connect) inside_ferry_connect;
extern __typeof__(ferry_listen) inside_ferry_listen;
extern __typeof__(ferry_listener_close) inside_ferry_listener_close;
extern __typeof__(ferry_pool_stop) inside_ferry_pool_stop;

void inside_ferry_send(ferry_conn *conn, const void *data, size_t len)
{
    enter();
    ferry_send(conn, data, len);
    leave();
}

void inside_ferry_sendv(ferry_conn *conn, const struct iovec *iov, int count)
{
    enter();
    ferry_sendv(conn, iov, count);
    leave();
}

void inside_ferry_send_owned(ferry_conn *conn, void *data, size_t len, void (*release)(void *data))
{
    enter();
    ferry_send_owned(conn, data, len, release);
    leave();
}

void inside_ferry_send_blob(ferry_conn *conn, ferry_blob *blob)
{
    enter();
    ferry_send_blob(conn, blob);
    leave();
}

void inside_ferry_send_file(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len)
{
    enter();
    ferry_send_file(conn, file, offset, len);
    leave();
}

ferry_transfer *inside_ferry_send_file_as(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len,
                                          const ferry_transfer_options *options)
{
    enter();
    ferry_transfer *transfer = ferry_send_file_as(conn, file, offset, len, options);
    leave();
    return transfer;
}

void inside_ferry_transfer_cancel(ferry_transfer *transfer)
{
    enter();
    ferry_transfer_cancel(transfer);
    leave();
}

void inside_ferry_shutdown(ferry_conn *conn)
{
    enter();
    ferry_shutdown(conn);
    leave();
}

void inside_ferry_close(ferry_conn *conn)
{
    enter();
    ferry_close(conn);
    leave();
}

void inside_ferry_abort(ferry_conn *conn)
{
    enter();
    ferry_abort(conn);
    leave();
}

void inside_ferry_conn_pause(ferry_conn *conn)
{
    enter();
    ferry_conn_pause(conn);
    leave();
}

void inside_ferry_conn_resume(ferry_conn *conn)
{
    enter();
    ferry_conn_resume(conn);
    leave();
}

void inside_ferry_post(ferry_loop *loop, void (*fn)(void *), void *arg)
{
    enter();
    ferry_post(loop, fn, arg);
    leave();
}

ferry_timer *inside_ferry_after(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg)
{
    enter();
    ferry_timer *timer = ferry_after(loop, ms, fn, arg);
    leave();
    return timer;
}

ferry_timer *inside_ferry_every(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg)
{
    enter();
    ferry_timer *timer = ferry_every(loop, ms, fn, arg);
    leave();
    return timer;
}

int inside_ferry_connect(ferry_loop *loop, const char *address, const ferry_service *service,
                         const ferry_connect_options *options)
{
    enter();
    int result = ferry_connect(loop, address, service, options);
    leave();
    return result;
}

ferry_listener *inside_ferry_listen(ferry_pool *pool, const char *address, const ferry_service *service)
{
    enter();
    ferry_listener *listener = ferry_listen(pool, address, service);
    leave();
    return listener;
}

void inside_ferry_listener_close(ferry_listener *listener)
{
    enter();
    ferry_listener_close(listener);
    leave();
}

void inside_ferry_pool_stop(ferry_pool *pool)
{
    enter();
    ferry_pool_stop(pool);
    leave();
}
