/* SPDX-License-Identifier: MIT
 *
 * One wrapper a call: the linker's --wrap turns ferry_X of the tests into __wrap_ferry_X, and __real_ferry_X is the
 * library's. Calls that may run callbacks (ferry_pool_run, ferry_pool_free, ferry_loop_turn) are not wrapped.
 */
#include "inside.h"

#include <ferry/ferry.h>

static _Thread_local unsigned depth;

bool inside_call(void)
{
    return depth > 0;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's. */
extern __typeof__(ferry_send) __real_ferry_send, __wrap_ferry_send;
extern __typeof__(ferry_sendv) __real_ferry_sendv, __wrap_ferry_sendv;
extern __typeof__(ferry_send_owned) __real_ferry_send_owned, __wrap_ferry_send_owned;
extern __typeof__(ferry_send_blob) __real_ferry_send_blob, __wrap_ferry_send_blob;
extern __typeof__(ferry_send_file) __real_ferry_send_file, __wrap_ferry_send_file;
extern __typeof__(ferry_send_file_as) __real_ferry_send_file_as, __wrap_ferry_send_file_as;
extern __typeof__(ferry_transfer_cancel) __real_ferry_transfer_cancel, __wrap_ferry_transfer_cancel;
extern __typeof__(ferry_shutdown) __real_ferry_shutdown, __wrap_ferry_shutdown;
extern __typeof__(ferry_close) __real_ferry_close, __wrap_ferry_close;
extern __typeof__(ferry_abort) __real_ferry_abort, __wrap_ferry_abort;
extern __typeof__(ferry_conn_pause) __real_ferry_conn_pause, __wrap_ferry_conn_pause;
extern __typeof__(ferry_conn_resume) __real_ferry_conn_resume, __wrap_ferry_conn_resume;
extern __typeof__(ferry_post) __real_ferry_post, __wrap_ferry_post;
extern __typeof__(ferry_after) __real_ferry_after, __wrap_ferry_after;
extern __typeof__(ferry_every) __real_ferry_every, __wrap_ferry_every;
extern __typeof__(ferry_connect) __real_ferry_connect, __wrap_ferry_connect;
extern __typeof__(ferry_listen) __real_ferry_listen, __wrap_ferry_listen;
extern __typeof__(ferry_listener_close) __real_ferry_listener_close, __wrap_ferry_listener_close;
extern __typeof__(ferry_pool_stop) __real_ferry_pool_stop, __wrap_ferry_pool_stop;

void __wrap_ferry_send(ferry_conn *conn, const void *data, size_t len)
{
    depth++;
    __real_ferry_send(conn, data, len);
    depth--;
}

void __wrap_ferry_sendv(ferry_conn *conn, const struct iovec *iov, int count)
{
    depth++;
    __real_ferry_sendv(conn, iov, count);
    depth--;
}

void __wrap_ferry_send_owned(ferry_conn *conn, void *data, size_t len, void (*release)(void *data))
{
    depth++;
    __real_ferry_send_owned(conn, data, len, release);
    depth--;
}

void __wrap_ferry_send_blob(ferry_conn *conn, ferry_blob *blob)
{
    depth++;
    __real_ferry_send_blob(conn, blob);
    depth--;
}

void __wrap_ferry_send_file(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len)
{
    depth++;
    __real_ferry_send_file(conn, file, offset, len);
    depth--;
}

ferry_transfer *__wrap_ferry_send_file_as(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len,
                                          const ferry_transfer_options *options)
{
    depth++;
    ferry_transfer *transfer = __real_ferry_send_file_as(conn, file, offset, len, options);
    depth--;
    return transfer;
}

void __wrap_ferry_transfer_cancel(ferry_transfer *transfer)
{
    depth++;
    __real_ferry_transfer_cancel(transfer);
    depth--;
}

void __wrap_ferry_shutdown(ferry_conn *conn)
{
    depth++;
    __real_ferry_shutdown(conn);
    depth--;
}

void __wrap_ferry_close(ferry_conn *conn)
{
    depth++;
    __real_ferry_close(conn);
    depth--;
}

void __wrap_ferry_abort(ferry_conn *conn)
{
    depth++;
    __real_ferry_abort(conn);
    depth--;
}

void __wrap_ferry_conn_pause(ferry_conn *conn)
{
    depth++;
    __real_ferry_conn_pause(conn);
    depth--;
}

void __wrap_ferry_conn_resume(ferry_conn *conn)
{
    depth++;
    __real_ferry_conn_resume(conn);
    depth--;
}

void __wrap_ferry_post(ferry_loop *loop, void (*fn)(void *), void *arg)
{
    depth++;
    __real_ferry_post(loop, fn, arg);
    depth--;
}

ferry_timer *__wrap_ferry_after(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg)
{
    depth++;
    ferry_timer *timer = __real_ferry_after(loop, ms, fn, arg);
    depth--;
    return timer;
}

ferry_timer *__wrap_ferry_every(ferry_loop *loop, uint64_t ms, void (*fn)(void *), void *arg)
{
    depth++;
    ferry_timer *timer = __real_ferry_every(loop, ms, fn, arg);
    depth--;
    return timer;
}

int __wrap_ferry_connect(ferry_loop *loop, const char *address, const ferry_service *service,
                         const ferry_connect_options *options)
{
    depth++;
    int result = __real_ferry_connect(loop, address, service, options);
    depth--;
    return result;
}

ferry_listener *__wrap_ferry_listen(ferry_pool *pool, const char *address, const ferry_service *service)
{
    depth++;
    ferry_listener *listener = __real_ferry_listen(pool, address, service);
    depth--;
    return listener;
}

void __wrap_ferry_listener_close(ferry_listener *listener)
{
    depth++;
    __real_ferry_listener_close(listener);
    depth--;
}

void __wrap_ferry_pool_stop(ferry_pool *pool)
{
    depth++;
    __real_ferry_pool_stop(pool);
    depth--;
}
/* NOLINTEND(bugprone-reserved-identifier) */
