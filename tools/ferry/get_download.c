/* SPDX-License-Identifier: MIT
 *
 * ferry get: one connection. What comes in is counted, compared, hashed and kept while it comes.
 *
 * A download is complete when the peer has ended it in order (FIN) and the connection then closed without an error: that
 * is all TCP can tell. Whether it was all of the file, report() judges, by size and digest.
 */
#include "get.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How long a slow reader rests at a time, and the most that the library may have read ahead of it meanwhile. */
enum { REST_MS = 50, READ_AHEAD = 1024 * 1024 };

/* A server that is just starting, or whose backlog is full for the moment, is asked again for about half a second. */
enum { ATTEMPTS = 6, BACKOFF_MS = 20 };

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void download_fail(struct download *download, const char *format, ...)
{
    if (atomic_load(&download->outcome) == OUTCOME_FAILED)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(download->why, sizeof download->why, format, arguments);
    va_end(arguments);
    atomic_store(&download->outcome, OUTCOME_FAILED);
}

static void on_open(ferry_conn *conn, void *arg)
{
    struct download *download = arg;
    download->conn = conn;
    download->opened = now_ns();
}

/* How many of `len` bytes are wanted now. */
static size_t appetite(const struct download *download, size_t len)
{
    const struct get_options *options = &download->get->options;
    uint64_t received = atomic_load_explicit(&download->received, memory_order_relaxed);
    if (options->abort_after > 0 && options->abort_after - received < len)
        len = (size_t)(options->abort_after - received);
    if (options->slow > 0) {
        double allowed = (double)options->slow * (double)(now_ns() - download->opened) / 1e9;
        if (allowed < (double)received + (double)len)
            len = allowed > (double)received ? (size_t)(allowed - (double)received) : 0;
    }
    return len;
}

/* Looks at the next bytes in every way that was asked for. Returns whether all is well. */
static bool inspect(struct download *download, const void *data, size_t len, uint64_t at)
{
    struct get *get = download->get;
    uint64_t differs;
    if (len > get->limit - at) {
        download_fail(download, "sent more than the %" PRIu64 " bytes expected", get->limit);
        return false;
    }
    int found = get->reference.file != NULL ? reference_check(&get->reference, data, len, at, &differs) : 0;
    if (found > 0)
        download_fail(download, "differs from %s at byte %" PRIu64, get->options.compare, differs);
    else if (found < 0)
        download_fail(download, "cannot read %s: %s", get->options.compare, ferry_strerror(found));
    if (found == 0 && download->digest != NULL && !digest_add(download->digest, data, len)) {
        download_fail(download, "libcrypto failed");
        return false;
    }
    return found == 0;
}

static bool take(struct download *download, const void *data, size_t len)
{
    struct get *get = download->get;
    uint64_t at = atomic_load_explicit(&download->received, memory_order_relaxed);
    if (!inspect(download, data, len, at))
        return false;
    if (download == get->downloads && get->output.path != NULL) {
        int error = output_write(&get->output, data, len);
        if (error != 0) {
            download_fail(download, "cannot write %s: %s", get->options.output, strerror(-error));
            return false;
        }
    }
    atomic_store_explicit(&download->received, at + len, memory_order_relaxed);
    return true;
}

static void wake(void *arg)
{
    struct download *download = arg;
    download->rest = NULL;
    ferry_conn_resume(download->conn);
}

static void rest(struct download *download, ferry_conn *conn)
{
    download->rest = ferry_after(ferry_conn_loop(conn), REST_MS, wake, download);
    if (download->rest != NULL) {
        ferry_conn_pause(conn);
        return;
    }
    download_fail(download, "no memory for a timer");
    ferry_abort(conn);
}

static size_t on_data(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct download *download = arg;
    uint64_t abort_after = download->get->options.abort_after;
    size_t wanted = appetite(download, len);
    if (!take(download, data, wanted)) {
        ferry_abort(conn);
        return len;
    }
    if (abort_after > 0 && atomic_load(&download->received) == abort_after) {
        atomic_store(&download->outcome, OUTCOME_ABORTED);
        ferry_abort(conn);
        return len;
    }
    if (wanted < len)
        rest(download, conn);
    return wanted;
}

static void on_eof(ferry_conn *conn, void *arg)
{
    struct download *download = arg;
    download->eof = true;
    download->ended = now_ns();
    ferry_close(conn);
}

static void complete(struct download *download)
{
    struct get *get = download->get;
    uint64_t unknown = SIZE_UNKNOWN;
    if (download->digest != NULL && !digest_end(download->digest, download->hex)) {
        download_fail(download, "libcrypto failed");
        return;
    }
    atomic_compare_exchange_strong(&get->size, &unknown, atomic_load(&download->received));
    atomic_store(&download->outcome, OUTCOME_COMPLETE);
}

static void fail_closed(struct download *download, int reason)
{
    char size[UNIT_TEXT];
    print_size(size, (double)atomic_load(&download->received));
    if (download->opened == 0)
        download_fail(download, "cannot connect: %s", ferry_strerror(reason));
    else if (reason == -ECANCELED || reason == 0)
        download_fail(download, "interrupted after %s", size);
    else
        download_fail(download, "%s after %s", ferry_strerror(reason), size);
}

static void on_close(ferry_conn *conn, int reason, void *arg)
{
    struct download *download = arg;
    struct get *get = download->get;
    (void)conn;
    ferry_timer_cancel(download->rest);
    download->rest = NULL;
    if (download->ended == 0)
        download->ended = now_ns();
    if (atomic_load(&download->outcome) == OUTCOME_NONE) {
        if (download->eof && reason == 0)
            complete(download);
        else
            fail_closed(download, reason);
    }
    if (atomic_fetch_sub(&get->open, 1) == 1)
        ferry_pool_stop(get->pool);
}

int download_start(struct download *download, ferry_loop *loop)
{
    const struct get_options *options = &download->get->options;
    /* A slow reader may be silent for as long as it takes to work off what was read ahead. */
    uint64_t slow_ms = options->slow > 0 ? UINT64_C(1000) * READ_AHEAD / options->slow : 0;
    uint64_t idle_ms = options->timeout_ms + slow_ms;
    const ferry_service service = {
        .arg = download,
        .on_open = on_open,
        .on_data = on_data,
        .on_eof = on_eof,
        .on_close = on_close,
        .max_input = READ_AHEAD,
        .idle_timeout_ms = idle_ms < UINT32_MAX ? (unsigned)idle_ms : UINT32_MAX,
    };
    const ferry_connect_options patience = {
        .timeout_ms = options->timeout_ms, .attempts = ATTEMPTS, .backoff_ms = BACKOFF_MS};
    return ferry_connect(loop, download->get->address, &service, &patience);
}
