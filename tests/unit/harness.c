/* SPDX-License-Identifier: MIT
 *
 * The harness is tested first: a checker that sees nothing would pass everything.
 */
#include "case.h"
#include "pattern.h"
#include "wait.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 10000 };

static void pattern_is_the_same_in_any_pieces(void)
{
    unsigned char *whole = pattern_new(7, LENGTH);
    struct pattern pieces = {.seed = 7};
    uint64_t series = 1;
    while (pieces.at < LENGTH) {
        size_t left = LENGTH - (size_t)pieces.at;
        size_t piece = 1 + random_below(&series, left < 40 ? left : 40);
        pattern_check(&pieces, whole + pieces.at, piece);
    }
    free(whole);
}

/* Where a pattern stops matching after data[to] onwards was replaced by data[from] onwards. */
static size_t match_after_move(size_t to, size_t from)
{
    unsigned char *data = pattern_new(7, LENGTH);
    size_t most = LENGTH - (to > from ? to : from);
    memmove(data + to, data + from, most);
    struct pattern pattern = {.seed = 7};
    size_t matched = pattern_match(&pattern, data, LENGTH);
    free(data);
    return matched;
}

static void pattern_sees_loss_and_repetition(void)
{
    static const size_t distances[] = {1, 2, 3, 7, 8, 9, 64, 255, 256, 1024, 4096};
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        case_row("distance %zu", distances[i]);
        assert_in_range(match_after_move(1000, 1000 + distances[i]), 1000, 1008);
        assert_in_range(match_after_move(1000 + distances[i], 1000), 1000 + distances[i], 1008 + distances[i]);
    }
}

static void pattern_sees_a_changed_bit(void)
{
    for (size_t at = 0; at < 100; at++) {
        unsigned char *data = pattern_new(3, 100);
        data[at] ^= 1;
        struct pattern pattern = {.seed = 3};
        assert_int_equal(pattern_match(&pattern, data, 100), at);
        free(data);
    }
}

static void pattern_differs_by_seed(void)
{
    unsigned char *data = pattern_new(1, 64);
    struct pattern other = {.seed = 2};
    assert_true(pattern_match(&other, data, 64) < 8);
    free(data);
}

static void *fail_here(void *arg)
{
    (void)arg;
    assert_int_equal(1, 2);
    return NULL;
}

static void fail_on_a_thread(void)
{
    pthread_t thread;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(null, STDERR_FILENO);
    (void)pthread_create(&thread, NULL, fail_here, NULL);
    (void)pthread_join(thread, NULL);
    _exit(0);
}

static void failing_on_any_thread_ends_the_process(void)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        fail_on_a_thread();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void *add_thousand(void *count)
{
    for (int i = 0; i < 1000; i++)
        count_add(count, 1);
    return NULL;
}

static void counts_are_waited_for(void)
{
    struct count count = {0};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_thousand, &count), 0);
    count_wait(&count, 4000);
    assert_false(count_wait_ms(&count, 4001, 1));
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

const struct test_case test_cases[] = {
    {"pattern_is_the_same_in_any_pieces", pattern_is_the_same_in_any_pieces},
    {"pattern_sees_loss_and_repetition", pattern_sees_loss_and_repetition},
    {"pattern_sees_a_changed_bit", pattern_sees_a_changed_bit},
    {"pattern_differs_by_seed", pattern_differs_by_seed},
    {"failing_on_any_thread_ends_the_process", failing_on_any_thread_ends_the_process},
    {"counts_are_waited_for", counts_are_waited_for},
    {NULL, NULL},
};
