/* SPDX-License-Identifier: MIT
 *
 * Input: what on_data leaves comes again with more, in one piece; pausing and resuming; the limit of what is kept.
 */
#include "case.h"
#include "host.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A handler that checks each byte it is shown, and consumes as a rule of the table says. */
struct eater {
    size_t (*appetite)(struct eater *eater, size_t len);
    struct pattern eaten; /* where the next bytes shown must begin */
    uint64_t series;
    size_t least; /* bytes left over: as many must be shown, and more */
    bool resumed; /* what was left over may come again by itself */
    struct count total;
    uint64_t goal;
};

static size_t eat(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct eater *eater = arg;
    struct pattern shown = eater->eaten;
    (void)conn;
    assert_true(len > eater->least || (eater->resumed && len == eater->least));
    pattern_check(&shown, data, len);
    size_t used = shown.at == eater->goal ? len : eater->appetite(eater, len);
    eater->least = len - used;
    eater->eaten.at += used;
    count_add(&eater->total, used);
    return used;
}

static size_t all(struct eater *eater, size_t len)
{
    (void)eater;
    return len;
}

static size_t none_below_ten_thousand(struct eater *eater, size_t len)
{
    (void)eater;
    return len < 10000 ? 0 : len;
}

static size_t half(struct eater *eater, size_t len)
{
    (void)eater;
    return len / 2;
}

static size_t all_but_three(struct eater *eater, size_t len)
{
    (void)eater;
    return len > 3 ? len - 3 : 0;
}

static size_t one(struct eater *eater, size_t len)
{
    (void)eater;
    return len > 100000 ? len : 1;
}

static size_t any(struct eater *eater, size_t len)
{
    return random_below(&eater->series, len + 1);
}

static const struct {
    const char *name;
    size_t (*appetite)(struct eater *eater, size_t len);
} appetites[] = {
    {"all", all},
    {"none below 10,000", none_below_ten_thousand},
    {"half", half},
    {"all but three", all_but_three},
    {"one, and all above 100,000", one},
    {"any", any},
};

/* Sends `len` bytes in pieces of at most `most`, and waits until all was consumed. */
static void feed(size_t appetite, size_t len, size_t most)
{
    struct host host;
    ferry_stats stats;
    struct eater eater = {.appetite = appetites[appetite].appetite, .eaten.seed = 7, .goal = len};
    const ferry_service service = {.arg = &eater, .on_data = eat};
    struct pattern pattern = {.seed = 7};
    case_row("consuming %s, pieces up to %zu", appetites[appetite].name, most);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pieces(fd, &pattern, len, most);
    count_wait(&eater.total, len);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, &stats), 0);
    assert_int_equal(stats.received, len);
    host_stop(&host);
}

static void a_byte_at_a_time(void)
{
    for (size_t i = 0; i < sizeof appetites / sizeof appetites[0]; i++)
        feed(i, scale(20000), 1);
}

static void ten_mib_in_random_pieces(void)
{
    for (size_t i = 0; i < sizeof appetites / sizeof appetites[0]; i++)
        feed(i, scale(10 * 1024 * 1024), 60000);
}

/* A read stops short of the urgent byte (tcp(7), SIOCATMARK), which is not its end. */
static void urgent_data_hides_nothing_behind_it(void)
{
    struct host host;
    struct eater eater = {.appetite = all};
    char bytes[6];
    struct pattern pattern = {.seed = 0};
    const ferry_service service = {.arg = &eater, .on_data = eat};
    pattern_fill(&pattern, bytes, 2);
    bytes[2] = '!';
    pattern_fill(&pattern, bytes + 3, 3);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn_pause(watch_conn(&host.watch, 0));
    host_settle(&host);
    assert_int_equal(send(fd, bytes, 3, MSG_OOB), 3);
    peer_write(fd, bytes + 3, 3);
    host_settle(&host);
    ferry_conn_resume(watch_conn(&host.watch, 0));
    count_wait(&eater.total, 5);
    peer_close(fd);
    host_stop(&host);
}

static size_t keep_all(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    assert_true(len > 0);
    count_add(arg, 1);
    return 0;
}

/* What is left comes again with more, not by itself; and not with the end of file. */
static void leftovers_wait_for_more(void)
{
    struct host host;
    struct count shown = {0};
    const ferry_service service = {.arg = &shown, .on_data = keep_all};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write(fd, "abc", 3);
    count_wait(&shown, 1);
    host_settle(&host);
    host_settle(&host);
    assert_int_equal(count_get(&shown), 1);
    peer_write(fd, "d", 1);
    count_wait(&shown, 2);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    assert_int_equal(count_get(&shown), 2);
    host_stop(&host);
}

static void run_max_input(size_t len, bool closes)
{
    struct host host;
    struct count shown = {0};
    const ferry_service service = {.arg = &shown, .on_data = keep_all, .max_input = 100000};
    struct pattern pattern = {.seed = 1};
    ferry_stats stats;
    case_row("%zu bytes", len);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pieces(fd, &pattern, len, 5000);
    if (closes) {
        assert_reason(watch_reason(&host.watch, 0, &stats), -EMSGSIZE);
        assert_true(stats.received > 100000);
        peer_close(fd);
    } else {
        peer_half_close(fd);
        peer_expect_eof(fd);
        peer_close(fd);
        assert_reason(watch_reason(&host.watch, 0, &stats), 0);
        assert_int_equal(stats.received, len);
    }
    host_stop(&host);
}

static void what_is_kept_has_a_limit(void)
{
    run_max_input(100000, false);
    run_max_input(100001, true);
}

/* Large input that is consumed at once is no matter of max_input. */
static size_t eat_all(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    (void)conn;
    (void)data;
    count_add(arg, len);
    return len;
}

static void what_is_consumed_has_none(void)
{
    struct host host;
    struct count total = {0};
    const ferry_service service = {.arg = &total, .on_data = eat_all, .max_input = 10};
    struct pattern pattern = {.seed = 1};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pattern(fd, &pattern, 1000000);
    count_wait(&total, 1000000);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* Pauses in its first call, and keeps half of what it was shown. */
struct pauser {
    struct pattern eaten;
    size_t calls;
    struct count shown;
};

static size_t pause_first(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct pauser *pauser = arg;
    struct pattern shown = pauser->eaten;
    pattern_check(&shown, data, len);
    bool first = pauser->calls++ == 0;
    size_t used = first ? len / 2 : len;
    pauser->eaten.at += used;
    if (first)
        ferry_conn_pause(conn);
    count_add(&pauser->shown, 1);
    return used;
}

/* No more input is sent: what comes after resuming can only be what was left. */
static void leftovers_come_at_once_on_resuming(void)
{
    struct host host;
    struct pauser pauser = {.eaten.seed = 2};
    const ferry_service service = {.arg = &pauser, .on_data = pause_first};
    struct pattern pattern = {.seed = 2};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pattern(fd, &pattern, 1000);
    count_wait(&pauser.shown, 1);
    ferry_conn_resume(watch_conn(&host.watch, 0));
    count_wait(&pauser.shown, 2);
    host_settle(&host);
    assert_int_equal(pauser.eaten.at, 1000);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* While paused nothing is delivered, not even the end; all of it comes after resuming. */
static void nothing_comes_while_paused(void)
{
    struct host host;
    struct pauser pauser = {.eaten.seed = 2};
    const ferry_service service = {.arg = &pauser, .on_data = pause_first};
    struct pattern pattern = {.seed = 2};
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pattern(fd, &pattern, 1000);
    count_wait(&pauser.shown, 1);
    peer_write_pattern(fd, &pattern, 20000);
    peer_half_close(fd);
    for (size_t i = 0; i < 10; i++)
        host_settle(&host);
    assert_int_equal(count_get(&pauser.shown), 1);
    assert_int_equal(count_get(&host.watch.closed), 0);
    ferry_conn_resume(watch_conn(&host.watch, 0));
    peer_expect_eof(fd);
    host_settle(&host);
    assert_int_equal(pauser.eaten.at, 21000);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

struct toggler {
    struct host host;
    struct eater eater;
    struct count done;
};

static void *toggle(void *arg)
{
    struct toggler *toggler = arg;
    ferry_conn *conn = watch_conn(&toggler->host.watch, 0);
    while (count_get(&toggler->done) == 0) {
        ferry_conn_pause(conn);
        if (random_below(&toggler->eater.series, 4) == 0)
            sleep_ms(1);
        ferry_conn_resume(conn);
        ferry_conn_resume(conn);
    }
    return NULL;
}

/* Another thread pauses and resumes all the time: not a byte is lost, doubled or held back. */
static void pausing_from_another_thread(void)
{
    static struct toggler toggler;
    const ferry_service service = {.arg = &toggler.eater, .on_data = eat};
    struct pattern pattern = {.seed = 7};
    pthread_t thread;
    size_t len = scale(10 * 1024 * 1024);
    toggler = (struct toggler){.eater = {.appetite = all_but_three, .eaten.seed = 7, .resumed = true, .goal = len}};
    host_start(&toggler.host, &service);
    int fd = peer_connect(toggler.host.address);
    assert_int_equal(pthread_create(&thread, NULL, toggle, &toggler), 0);
    peer_write_pieces(fd, &pattern, len, 60000);
    count_wait(&toggler.eater.total, len);
    count_add(&toggler.done, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    peer_close(fd);
    assert_reason(watch_reason(&toggler.host.watch, 0, NULL), 0);
    host_stop(&toggler.host);
}

/* A paused connection holds its peer back by TCP's window: the peer's own send stops. */
static void pausing_holds_the_peer_back(void)
{
    struct host host;
    struct count total = {0};
    const ferry_service service = {.arg = &total, .on_data = eat_all, .socket.receive_buffer = 16 * 1024};
    static const char block[65536];
    host_start(&host, &service);
    int fd = peer_connect_with(host.address, &(struct peer_options){.send_buffer = 16 * 1024});
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_conn_pause(conn);
    host_settle(&host);
    size_t put = 0;
    ssize_t once;
    while ((once = send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
        put += (size_t)once;
        assert_true(put < 64 * 1024 * 1024);
    }
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(count_get(&total), 0);
    ferry_conn_resume(conn);
    count_wait(&total, put);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

/* One request at a time: each pauses reading until its answer is in the kernel, also when it was itself given by a
 * resume. All are answered, though they came at once and the peer's FIN behind them. Answers that go to the kernel inside
 * the callback make the longest chain of resumes. */
enum { REQUESTS = 2000, ANSWER = 5000 };

static size_t answer_one(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    static const char answer[ANSWER];
    (void)data;
    (void)arg;
    assert_true(len > 0);
    ferry_conn_pause(conn);
    ferry_send(conn, answer, sizeof answer);
    return 1;
}

static void go_on(ferry_conn *conn, void *arg)
{
    (void)arg;
    ferry_conn_resume(conn);
}

/* A resume that comes while on_data runs, after a resume: by itself here, but another thread may be quick. */
static size_t pause_and_resume(ferry_conn *conn, const void *data, size_t len, void *arg)
{
    struct pattern *seen = arg;
    (void)len;
    pattern_check(seen, data, 1);
    ferry_conn_pause(conn);
    ferry_conn_resume(conn);
    return 1;
}

static void the_end_waits_for_what_was_left(void)
{
    struct pattern seen = {.seed = 3}, pattern = {.seed = 3};
    const ferry_service service = {.arg = &seen, .on_data = pause_and_resume};
    struct host host;
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write_pattern(fd, &pattern, 500);
    peer_half_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    assert_int_equal(seen.at, 500);
    peer_close(fd);
    host_stop(&host);
}

static void a_request_at_a_time(void)
{
    static const ferry_service service = {.on_data = answer_one, .on_drain = go_on, .socket.send_buffer = 200 * 1024};
    struct host host;
    static const char requests[REQUESTS];
    uint64_t total;
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    peer_write(fd, requests, sizeof requests);
    peer_half_close(fd);
    assert_int_equal(peer_read_to_end(fd, NULL, &total), 0);
    assert_int_equal(total, (uint64_t)REQUESTS * ANSWER);
    peer_close(fd);
    assert_reason(watch_reason(&host.watch, 0, NULL), 0);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"urgent_data_hides_nothing_behind_it", urgent_data_hides_nothing_behind_it},
    {"a_byte_at_a_time", a_byte_at_a_time},
    {"ten_mib_in_random_pieces", ten_mib_in_random_pieces},
    {"leftovers_wait_for_more", leftovers_wait_for_more},
    {"what_is_kept_has_a_limit", what_is_kept_has_a_limit},
    {"what_is_consumed_has_none", what_is_consumed_has_none},
    {"leftovers_come_at_once_on_resuming", leftovers_come_at_once_on_resuming},
    {"nothing_comes_while_paused", nothing_comes_while_paused},
    {"the_end_waits_for_what_was_left", the_end_waits_for_what_was_left},
    {"a_request_at_a_time", a_request_at_a_time},
    {"pausing_from_another_thread", pausing_from_another_thread},
    {"pausing_holds_the_peer_back", pausing_holds_the_peer_back},
    {NULL, NULL},
};
