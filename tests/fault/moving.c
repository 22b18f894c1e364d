/* SPDX-License-Identifier: MIT
 *
 * Scenes with files, forwarding, connecting, threads and timers.
 */
#include "scenes.h"
#include "temp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 16 * 1024 };

static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len;
}

/* Files. */

struct served {
    struct temp temp;
    ferry_file *file;
    int begun, told, progress;
};

static struct served served;

static void serve_file(struct stage *stage, const ferry_service *service)
{
    served = (struct served){.begun = 0};
    temp_fill(&served.temp, 1, BIG);
    served.file = ferry_file_open(served.temp.path);
    if (served.file != NULL && stage_open(stage, service, "127.0.0.1:0")) {
        for (int i = 0; i < 2; i++)
            stage_end(stage, i == 0 ? TINY : 0)->expected = BIG;
        stage_end_all(stage);
    }
    ferry_file_unref(served.file);
    stage_close(stage);
    temp_remove(&served.temp);
    assert_int_equal(served.told, served.begun);
}

static void send_file(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_send_file(conn, served.file, 0, FERRY_TO_END);
    ferry_shutdown(conn);
}

void scene_file(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_file, .on_data = swallow, .socket.send_buffer = TINY};
    serve_file(stage, &service);
}

static void note_progress(ferry_conn *conn, uint64_t sent, void *arg)
{
    (void)conn;
    (void)sent;
    (void)arg;
    served.progress++;
}

static void note_done(ferry_conn *conn, uint64_t sent, int verdict, void *arg)
{
    (void)conn;
    (void)arg;
    assert_true(verdict != 0 || sent == BIG);
    served.told++;
}

static void send_watched(ferry_conn *conn, void *arg)
{
    static const ferry_transfer_options options = {
        .rate = 30 * 1000 * 1000, .on_progress = note_progress, .on_done = note_done};
    (void)arg;
    ferry_transfer *transfer = ferry_send_file_as(conn, served.file, 0, BIG, &options);
    if (transfer == NULL) {
        ferry_abort(conn);
        return;
    }
    served.begun++;
    ferry_transfer_unref(transfer);
    ferry_shutdown(conn);
}

void scene_file_watched(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_watched, .on_data = swallow};
    serve_file(stage, &service);
}

static void go_on(ferry_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
}

/* The next chunk when the one before is in the kernel. */
static void send_chunk(ferry_conn *conn, void *arg)
{
    char bytes[CHUNK];
    (void)arg;
    uintptr_t at = (uintptr_t)ferry_conn_context(conn);
    ssize_t n = pread(ferry_file_fd(served.file), bytes, sizeof bytes, (off_t)at);
    assert_true(n >= 0);
    ferry_send(conn, bytes, (size_t)n);
    ferry_conn_set_context(conn, (void *)(at + (size_t)n), NULL);
    if (n == 0)
        ferry_close(conn);
}

void scene_file_by_chunks(struct stage *stage)
{
    static const ferry_service service = {
        .on_open = send_chunk, .on_data = swallow, .on_eof = go_on, .on_drain = send_chunk, .socket.send_buffer = TINY};
    serve_file(stage, &service);
}

/* Two that are forwarded to each other. */

static ferry_conn *pair[2];
static bool ended_alone; /* the first one's input ended before there was a second */

static int place_of(const ferry_conn *conn)
{
    return conn == pair[0] ? 0 : 1;
}

static void forward_pair(ferry_conn *conn, void *arg)
{
    (void)arg;
    pair[pair[0] == NULL ? 0 : 1] = ferry_conn_ref(conn);
    if (pair[1] == NULL)
        return;
    if (ferry_forward(pair[0], pair[1]) < 0 || ferry_forward(pair[1], pair[0]) < 0)
        ferry_abort(conn);
    else if (ended_alone)
        ferry_shutdown(conn);
}

static void carry_end(ferry_conn *conn, void *arg)
{
    ferry_conn *other = pair[1 - place_of(conn)];
    (void)arg;
    if (other != NULL)
        ferry_shutdown(other);
    else
        ended_alone = true;
}

static void carry_close(ferry_conn *conn, int reason, void *arg)
{
    ferry_conn *other = pair[1 - place_of(conn)];
    (void)arg;
    if (reason < 0 && other != NULL)
        ferry_abort(other);
}

/* Before there is another, nothing is taken. */
static size_t leave_all(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)len;
    (void)arg;
    return 0;
}

void scene_forward(struct stage *stage)
{
    static const ferry_service service = {.on_open = forward_pair,
                                          .on_data = leave_all,
                                          .on_eof = carry_end,
                                          .on_close = carry_close,
                                          .idle_timeout_ms = 500,
                                          .socket.send_buffer = TINY};
    pair[0] = pair[1] = NULL;
    ended_alone = false;
    if (stage_open(stage, &service, "127.0.0.1:0")) {
        struct end *one = stage_end(stage, TINY), *other = stage_end(stage, 0);
        one->out.seed = other->in.seed = 1;
        other->out.seed = one->in.seed = 2;
        one->goal = other->expected = 60 * 1000;
        other->goal = one->expected = 50 * 1000;
        stage_end_all(stage);
    }
    stage_close(stage);
    ferry_conn_unref(pair[0]);
    ferry_conn_unref(pair[1]);
}

/* Connecting, with back-off, to plain ends that echo. */

static bool answered[2];

static void greet(ferry_conn *conn, void *arg)
{
    struct pattern pattern = {.seed = 1};
    char bytes[5000];
    (void)arg;
    pattern_fill(&pattern, bytes, sizeof bytes);
    ferry_send(conn, bytes, sizeof bytes);
    ferry_shutdown(conn);
}

static bool all_told(struct stage *stage)
{
    uint64_t told = count_get(&stage->watch.closed) + count_get(&stage->watch.failed);
    return told >= (uint64_t)answered[0] + answered[1];
}

static void connect_to(struct stage *stage, const char *format)
{
    static const ferry_service service = {.on_open = greet, .on_data = swallow};
    static const ferry_connect_options options = {
        .timeout_ms = 1000, .attempts = 4, .backoff_ms = 1, .backoff_max_ms = 4};
    char address[80];
    answered[0] = answered[1] = false;
    if (!stage_open(stage, &service, NULL))
        return;
    stage_listen(stage);
    (void)snprintf(address, sizeof address, format, strrchr(stage->plain_address, ':') + 1);
    for (int i = 0; i < 2; i++)
        answered[i] = ferry_connect(stage->loop, address, &stage->watch.service, &options) == 0;
    stage_until(stage, all_told);
    stage_close(stage);
    assert_int_equal(count_get(&stage->watch.closed) + count_get(&stage->watch.failed), answered[0] + answered[1]);
    if (stage->clean)
        assert_int_equal(count_get(&stage->watch.closed), 2);
}

void scene_connect(struct stage *stage)
{
    connect_to(stage, "127.0.0.1:%s");
}

void scene_connect_by_name(struct stage *stage)
{
    connect_to(stage, "localhost:%s");
}

/* Two threads and the loop send messages to one connection: each is whole, and those of one sender are in order. */

enum { SENDERS = 2, MESSAGES = 12, MESSAGE = 6000 };

static ferry_conn *target;
static unsigned seen[SENDERS];

static char letter(unsigned sender, unsigned number)
{
    return (char)(1 + sender * MESSAGES + number);
}

static void *send_messages(void *arg)
{
    unsigned sender = (unsigned)(uintptr_t)arg;
    char message[MESSAGE];
    for (unsigned i = 0; i < MESSAGES; i++) {
        memset(message, letter(sender, i), sizeof message);
        if (i % 2 == 0)
            ferry_send(target, message, sizeof message);
        else
            ferry_sendv(target, (struct iovec[]){{message, 10}, {message + 10, MESSAGE - 10}}, 2);
    }
    return NULL;
}

/* Bytes of a message are alike, and all of one come in one run. */
static void take_messages(struct end *end, const char *data, size_t len)
{
    static char now;
    for (size_t i = 0; i < len; i++, end->in.at++) {
        unsigned number = (unsigned)data[i] - 1;
        if (end->in.at % MESSAGE == 0) {
            now = data[i];
            assert_true(number / MESSAGES < SENDERS);
            assert_int_equal(seen[number / MESSAGES], number % MESSAGES);
            seen[number / MESSAGES]++;
        }
        assert_int_equal(data[i], now);
    }
}

static void send_from_threads(struct stage *stage, struct end *end)
{
    pthread_t threads[SENDERS];
    end->expected = (uint64_t)SENDERS * MESSAGES * MESSAGE;
    end->take = take_messages;
    stage_until(stage, stage_all_accepted);
    if (count_get(&stage->watch.opened) == 0)
        return;
    target = watch_conn(&stage->watch, 0);
    for (size_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_messages, (void *)i), 0);
    stage_turn_for(stage, 2);
    for (size_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    ferry_close(target);
}

void scene_sends_of_threads(struct stage *stage)
{
    static const ferry_service service = {.on_data = swallow, .socket.send_buffer = TINY};
    memset(seen, 0, sizeof seen);
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    stage->watch.keep = true;
    send_from_threads(stage, stage_end(stage, TINY));
    stage_end_all(stage);
}

/* Timers fire once, every so often, or never; posts run once each. */

static int fired, posted;
static int armed, asked;

static void fire(void *arg)
{
    (void)arg;
    fired++;
}

static void never(void *arg)
{
    (void)arg;
    fail_msg("a cancelled timer has fired");
}

static void post(void *arg)
{
    (void)arg;
    posted++;
}

static void make_timers(void *arg)
{
    ferry_loop *loop = ferry_loop_current();
    (void)arg;
    for (uint64_t ms = 0; ms < 5; ms++)
        armed += ferry_after(loop, ms, fire, NULL) != NULL;
    ferry_timer_cancel(ferry_after(loop, 1, never, NULL));
    ferry_post(loop, post, NULL);
}

static bool all_fired(struct stage *stage)
{
    (void)stage;
    return fired >= armed && posted >= asked;
}

void scene_timers_and_posts(struct stage *stage)
{
    static const ferry_service none;
    fired = posted = armed = 0;
    asked = 1 + 30;
    if (!stage_open(stage, &none, NULL))
        return;
    ferry_post(stage->loop, make_timers, NULL);
    for (int i = 0; i < 30; i++)
        ferry_post(stage->loop, post, NULL);
    armed += ferry_after(stage->loop, 2, fire, NULL) != NULL;
    ferry_timer *beat = ferry_every(stage->loop, 1, post, NULL);
    ferry_timer_cancel(ferry_after(stage->loop, 1, never, NULL));
    stage_turn_for(stage, 4);
    stage_until(stage, all_fired);
    ferry_timer_cancel(beat);
    if (stage->clean)
        assert_int_equal(fired, 6);
}
