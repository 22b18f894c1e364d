/* SPDX-License-Identifier: MIT
 *
 * Scenes in the callback style.
 */
#include "scenes.h"
#include "temp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t echo(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)arg;
    ferry_send(conn, data, len);
    return len;
}

/* A Unix socket has no reset, by which a peer could tell a part from the whole. */
static void play_echo(struct stage *stage, const char *address, const ferry_pool_options *options)
{
    static const ferry_service service = {.on_data = echo, .on_eof = NULL};
    if (!stage_open_with(stage, &service, address, options))
        return;
    stage_echoed_end(stage, 10);
    stage_echoed_end(stage, BIG);
    for (int i = 0; i < stage->count && !stage->clean && strncmp(address, "unix:", 5) == 0; i++)
        stage->ends[i].expected = 0;
    stage_end_all(stage);
}

void scene_echo(struct stage *stage)
{
    play_echo(stage, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .grace_ms = 50});
}

void scene_echo_on_two_loops(struct stage *stage)
{
    stage->threads = true;
    play_echo(stage, "127.0.0.1:0",
              &(ferry_pool_options){.threads = 2, .grace_ms = 50, .watchdog_ms = 1000, .handle_signals = true});
}

void scene_echo_over_a_unix_socket(struct stage *stage)
{
    char name[64], address[80];
    temp_name(name, sizeof name, "");
    (void)snprintf(address, sizeof address, "unix:%s", name);
    play_echo(stage, address, &(ferry_pool_options){.threads = 1, .grace_ms = 50});
}

/* What is sent when the peer has finished. */
static void answer(ferry_conn *conn, void *arg)
{
    struct pattern pattern = {.seed = 1};
    char bytes[10000];
    (void)arg;
    pattern_fill(&pattern, bytes, sizeof bytes);
    ferry_send(conn, bytes, 100);
    ferry_sendv(conn, (struct iovec[]){{bytes + 100, 1}, {bytes + 101, 9000}, {bytes + 9101, 899}}, 3);
    ferry_close(conn);
}

static size_t swallow(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    (void)arg;
    return len;
}

void scene_half_close_answered(struct stage *stage)
{
    static const ferry_service service = {.on_data = swallow, .on_eof = answer};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    struct end *end = stage_end(stage, 0);
    end->goal = 5000;
    end->expected = 10000;
    stage_end_all(stage);
}

/* Small and big, while the peer takes nothing. */
static void send_big(ferry_conn *conn, void *arg)
{
    struct pattern pattern = {.seed = 1};
    (void)arg;
    char *bytes = malloc(BIG);
    assert_non_null(bytes);
    pattern_fill(&pattern, bytes, BIG);
    size_t at = 0;
    for (size_t len = 7; at + len < BIG; at += len, len = len * 3 / 2)
        ferry_send(conn, bytes + at, len);
    ferry_send(conn, bytes + at, BIG - at);
    free(bytes);
    ferry_shutdown(conn);
}

static void note_level(ferry_conn *conn, size_t pending, void *arg)
{
    (void)conn;
    (void)pending;
    (void)arg;
}

void scene_big_against_a_shut_window(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_big,
                                          .on_data = swallow,
                                          .on_high_water = note_level,
                                          .on_low_water = note_level,
                                          .high_water = 50000,
                                          .socket.send_buffer = TINY};
    stage_play_held(stage, &service);
}

/* One copy of the bytes for all, and memory that is given away. */
struct shared {
    ferry_blob *blob;
    int given, released;
};

static struct shared shared;

static void release(void *data)
{
    shared.released++;
    free(data);
}

static void send_shared(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_send_blob(conn, shared.blob);
    struct pattern pattern = {.seed = 1, .at = BIG};
    char *bytes = malloc(BIG);
    assert_non_null(bytes);
    pattern_fill(&pattern, bytes, BIG);
    shared.given++;
    ferry_send_owned(conn, bytes, BIG, release);
    ferry_shutdown(conn);
}

void scene_shared_with_many(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_shared, .on_data = swallow, .socket.send_buffer = TINY};
    char *bytes = pattern_new(1, BIG);
    shared = (struct shared){.given = 1};
    shared.blob = ferry_blob_wrap(bytes, BIG, release);
    if (shared.blob == NULL) {
        release(bytes);
    } else if (stage_open(stage, &service, "127.0.0.1:0")) {
        for (int i = 0; i < 3; i++)
            stage_end(stage, TINY)->expected = 2 * (uint64_t)BIG;
        stage_end_all(stage);
    }
    ferry_blob_unref(shared.blob);
    stage_close(stage);
    assert_int_equal(shared.released, shared.given);
}

/* Takes whole pieces of 3000 bytes, and checks them; what is left comes again. */
static size_t take_pieces(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct pattern *pattern = arg;
    size_t whole = len / 3000 * 3000;
    (void)conn;
    pattern_check(pattern, data, whole);
    return whole;
}

void scene_leftovers_and_pauses(struct stage *stage)
{
    struct pattern pattern = {.seed = 5};
    ferry_service service = {.on_data = take_pieces, .arg = &pattern};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    stage->watch.keep = true;
    struct end *end = stage_end(stage, 0);
    end->out.seed = 5;
    end->goal = 10000;
    stage_until(stage, stage_all_accepted);
    for (int i = 0; i < 3 && count_get(&stage->watch.opened) > 0; i++) {
        ferry_conn_pause(watch_conn(&stage->watch, 0));
        end->goal += 40000;
        stage_turn_for(stage, 2);
        ferry_conn_resume(watch_conn(&stage->watch, 0));
        stage_turn_for(stage, 1);
    }
    stage_end_all(stage);
    stage_close(stage);
    if (stage->clean)
        assert_int_equal(pattern.at, 129000);
}

/* Some messages are dropped. */
static void take_any(struct end *end, const char *data, size_t len)
{
    (void)data;
    end->in.at += len;
}

/* More connections than may be, of one address; and more bytes. */
void scene_limits(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_big,
                                          .on_data = swallow,
                                          .max_conns = 3,
                                          .max_conns_per_peer = 2,
                                          .max_pending = 30000,
                                          .overflow = FERRY_OVERFLOW_DROP,
                                          .socket = {.send_buffer = TINY, .keepalive_s = 10, .congestion = "cubic"}};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    for (int i = 0; i < 4; i++)
        stage_end(stage, TINY)->take = take_any;
    stage_end_all(stage);
}

/* One that is idle, one that does not read, one that goes on and on. */
void scene_time_limits(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_big,
                                          .on_data = swallow,
                                          .idle_timeout_ms = 15,
                                          .linger_ms = 10,
                                          .min_send_rate = 1000,
                                          .socket = {.send_buffer = TINY, .user_timeout_ms = 1000}};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    stage_end(stage, TINY)->holds = true;
    stage_end(stage, 0)->expected = stage->clean ? 0 : BIG; /* on a busy machine that may be idle, too */
    stage_turn_for(stage, 25);
    stage_end_all(stage);
}

void scene_reset_by_the_peer(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_big, .on_data = echo, .socket.send_buffer = TINY};
    const struct linger now = {.l_onoff = 1};
    if (!stage_open(stage, &service, "127.0.0.1:0"))
        return;
    struct end *end = stage_end(stage, TINY);
    end->goal = 100;
    end->holds = true;
    stage_until(stage, stage_all_accepted);
    if (end->fd >= 0) {
        assert_int_equal(setsockopt(end->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        assert_int_equal(close(end->fd), 0);
    }
    end->fd = -1;
    end->gone = true;
    end->error = ECONNRESET;
    stage_until(stage, stage_all_closed);
}

/* One that is being sent to, one that is idle, and one that aborts itself; they are stopped twice. */
static size_t abort_it(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)data;
    (void)arg;
    ferry_abort(conn);
    return len;
}

void scene_stopped_in_the_middle(struct stage *stage)
{
    static const ferry_service service = {.on_open = send_big, .on_data = abort_it, .socket.send_buffer = TINY};
    if (!stage_open_with(stage, &service, "127.0.0.1:0", &(ferry_pool_options){.threads = 1, .grace_ms = 5}))
        return;
    stage_end(stage, TINY)->holds = true;
    stage_end(stage, 0)->expected = stage->clean ? 0 : BIG; /* it may be cut */
    stage_end(stage, 0)->goal = 1;
    stage_until(stage, stage_all_accepted);
    ferry_pool_stop(stage->pool);
    stage_turn_for(stage, 2);
    ferry_pool_stop(stage->pool);
    stage_turn_for(stage, 10);
}
