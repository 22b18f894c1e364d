/* SPDX-License-Identifier: MIT
 *
 * Reasons and reports: what a negative number means, and where the library's few log lines go.
 */
#ifndef FERRY_ERROR_H
#define FERRY_ERROR_H

#if defined(__GNUC__)
#define FERRY_API __attribute__((visibility("default")))
#else
#define FERRY_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A sentence for a close reason or a failing call's return value: 0 or -errno.
 *
 * The reasons a connection closes with, as on_close and ferry_conn_error report them:
 *      0              both sides finished in order, or ferry_close() ran to its end
 *     -ECONNRESET     the peer reset the connection (the kernel's EPIPE is reported as this, too)
 *     -ECONNABORTED   ferry_abort() was called
 *     -ETIMEDOUT      idle_timeout_ms, linger_ms or min_send_rate ran out; or TCP's own keepalive or user timeout
 *     -ENOBUFS        max_pending, or the pool's budget, would have been exceeded
 *     -EMSGSIZE       on_data left more than max_input bytes unconsumed
 *     -ENODATA        a file became shorter than the range that was to be sent
 *     -ECANCELED      a file already on its way was cancelled, or the pool stopped and its grace time ran out
 *     -ENOMEM         no memory to hold what was to be sent or received
 *     -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH...   ferry_connect() used up its attempts; see connect(2)
 *     -ENOENT, -EAGAIN   the same: the name does not exist, or no name server answered
 *
 * Thread: any. The string is constant, or valid until this thread's next call. */
FERRY_API const char *ferry_strerror(int reason);

typedef enum ferry_log_level { FERRY_LOG_ERROR, FERRY_LOG_WARNING, FERRY_LOG_INFO } ferry_log_level;

/* Sends the library's log lines to `fn`, one line a call, without a newline; NULL silences it, which is the default.
 * The library logs what no caller is there to be told: a listener out of descriptors, a pool that cut its connections.
 * Thread: any; set it before the pools start. `fn` may be called from any thread. */
FERRY_API void ferry_log_to(void (*fn)(ferry_log_level level, const char *line, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif
