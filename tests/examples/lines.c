/* SPDX-License-Identifier: MIT
 *
 * Lines from a pipe: whole ones, in whatever pieces they come; the longest that fits, and the one after a longer one.
 */
#include "lines.h"

#include "case.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static struct lines lines;
static int write_fd;

static void start(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    write_fd = ends[1];
    assert_int_equal(lines_init(&lines, ends[0]), 0);
}

static void end_input(void)
{
    assert_int_equal(close(write_fd), 0);
}

static void stop(void)
{
    lines_fini(&lines);
    assert_int_equal(close(lines.fd), 0);
}

static void put(const char *bytes, size_t len)
{
    assert_int_equal(write(write_fd, bytes, len), len);
}

static void put_many(char byte, size_t count)
{
    char bytes[1024];
    memset(bytes, byte, sizeof bytes);
    for (size_t part; count > 0; count -= part) {
        part = count < sizeof bytes ? count : sizeof bytes;
        put(bytes, part);
        assert_int_equal(lines_read(&lines), 1);
        const char *line;
        size_t len;
        assert_int_equal(lines_next(&lines, &line, &len), 0);
    }
}

static void expect(const char *text)
{
    const char *line;
    size_t len;
    assert_int_equal(lines_next(&lines, &line, &len), 1);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(line, text, len);
}

static void expect_result(int result)
{
    const char *line;
    size_t len;
    assert_int_equal(lines_next(&lines, &line, &len), result);
}

static void several_at_once(void)
{
    start();
    put("one\n\nthree\r\nfo", 14);
    assert_int_equal(lines_read(&lines), 1);
    expect("one");
    expect("");
    expect("three\r");
    expect_result(0);
    put("ur\n", 3);
    assert_int_equal(lines_read(&lines), 1);
    expect("four");
    assert_int_equal(lines.number, 4);
    expect_result(0);
    end_input();
    assert_int_equal(lines_read(&lines), 0);
    expect_result(0);
    stop();
}

static void byte_at_a_time(void)
{
    static const char text[] = "ab\nc\n";
    start();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        put(text + i, 1);
        assert_int_equal(lines_read(&lines), 1);
        if (i == 2)
            expect("ab");
        if (i == 4)
            expect("c");
        expect_result(0);
    }
    end_input();
    stop();
}

static void last_line_without_a_newline(void)
{
    start();
    put("one\nlast", 8);
    end_input();
    assert_int_equal(lines_read(&lines), 1);
    expect("one");
    expect_result(0);
    assert_int_equal(lines_read(&lines), 0);
    assert_true(lines.ended);
    expect("last");
    expect_result(0);
    stop();
}

static void longest_line_fits(void)
{
    start();
    put_many('x', LINE_MAX_BYTES);
    put("\n", 1);
    assert_int_equal(lines_read(&lines), 1);
    const char *line;
    size_t len;
    assert_int_equal(lines_next(&lines, &line, &len), 1);
    assert_int_equal(len, LINE_MAX_BYTES);
    put_many('y', LINE_MAX_BYTES);
    end_input();
    assert_int_equal(lines_read(&lines), 0);
    assert_int_equal(lines_next(&lines, &line, &len), 1);
    assert_int_equal(len, LINE_MAX_BYTES);
    assert_int_equal(line[0], 'y');
    stop();
}

/* Told once, when it ends, however long it is; and the next line is whole. */
static void longer_line_is_skipped(void)
{
    static const size_t lengths[] = {LINE_MAX_BYTES + 1, LINE_MAX_BYTES + 2, 2 * LINE_MAX_BYTES + 2, 1000000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        case_row("%zu bytes", lengths[i]);
        start();
        put_many('x', lengths[i]);
        put("\nnext\n", 6);
        assert_int_equal(lines_read(&lines), 1);
        expect_result(-EMSGSIZE);
        expect("next");
        assert_int_equal(lines.number, 2);
        put_many('x', lengths[i]);
        end_input();
        while (lines_read(&lines) != 0)
            expect_result(0);
        expect_result(-EMSGSIZE);
        expect_result(0);
        stop();
    }
}

static void error_is_told(void)
{
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(lines_init(&lines, folder), 0);
    assert_int_equal(lines_read(&lines), -EISDIR);
    assert_true(lines.ended);
    stop();
}

static void *wait_thread(void *arg)
{
    lines_wait(arg);
    return NULL;
}

static void wait_ends(void (*by)(void))
{
    pthread_t thread;
    start();
    assert_int_equal(pthread_create(&thread, NULL, wait_thread, &lines), 0);
    by();
    assert_int_equal(pthread_join(thread, NULL), 0);
    lines_wait(&lines); /* and it stays so */
}

static void put_something(void)
{
    put("x", 1);
}

static void stop_waiting(void)
{
    lines_stop(&lines);
}

static void waiting_ends_by_input(void)
{
    wait_ends(put_something);
    end_input();
    stop();
}

static void waiting_ends_by_the_end(void)
{
    wait_ends(end_input);
    stop();
}

static void waiting_ends_when_told(void)
{
    wait_ends(stop_waiting);
    end_input();
    stop();
}

const struct test_case test_cases[] = {
    {"several_at_once", several_at_once},
    {"byte_at_a_time", byte_at_a_time},
    {"last_line_without_a_newline", last_line_without_a_newline},
    {"longest_line_fits", longest_line_fits},
    {"longer_line_is_skipped", longer_line_is_skipped},
    {"error_is_told", error_is_told},
    {"waiting_ends_by_input", waiting_ends_by_input},
    {"waiting_ends_by_the_end", waiting_ends_by_the_end},
    {"waiting_ends_when_told", waiting_ends_when_told},
    {0},
};
