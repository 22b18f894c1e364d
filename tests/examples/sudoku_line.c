/* SPDX-License-Identifier: MIT
 *
 * The lines of the sudoku server: which are requests, at which length they are too long, what is answered.
 */
#include "sudoku_line.h"

#include "case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EMPTY "000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define PUZZLE "000000010400000000020000000000050407008000300001090000300400200050100000000806000"
#define SOLUTION "693784512487512936125963874932651487568247391741398625319475268856129743274836159"
#define TWICE "110000000000000000000000000000000000000000000000000000000000000000000000000000000"

typedef struct line_row {
    const char *line; /* with its CRLF, if it has one */
    sudoku_verdict verdict;
    const char *id, *answer;
} line_row;

static const line_row rows[] = {
    {PUZZLE "\r\n", SUDOKU_REQUEST, "", SOLUTION "\r\n"},
    {"a:" PUZZLE "\r\n", SUDOKU_REQUEST, "a:", SOLUTION "\r\n"},
    {":" PUZZLE "\r\n", SUDOKU_REQUEST, "", SOLUTION "\r\n"},
    {"a b\rc\nd\t:" PUZZLE "\r\n", SUDOKU_REQUEST, "a b\rc\nd\t:", SOLUTION "\r\n"},
    {"123456789012345678:" PUZZLE "\r\n", SUDOKU_REQUEST, "123456789012345678:", SOLUTION "\r\n"},
    {"1234567890123456789:" PUZZLE "\r\n", SUDOKU_REQUEST, "1234567890123456789:", SOLUTION "\r\n"},
    {"a:" PUZZLE "\r\nb:" PUZZLE "\r\n", SUDOKU_REQUEST, "a:", SOLUTION "\r\n"},
    {"a:" PUZZLE "\r\nrest", SUDOKU_REQUEST, "a:", SOLUTION "\r\n"},
    {"a:" TWICE "\r\n", SUDOKU_REQUEST, "a:", "NoSolution\r\n"},
    {"a:x" PUZZLE "\r\n", SUDOKU_BAD, NULL, NULL},
    {"\r\n", SUDOKU_BAD, NULL, NULL},
    {":\r\n", SUDOKU_BAD, NULL, NULL},
    {"a:\r\n", SUDOKU_BAD, NULL, NULL},
    {"hello\r\n", SUDOKU_BAD, NULL, NULL},
    {"a:b:" PUZZLE "\r\n", SUDOKU_BAD, NULL, NULL},
    {"::" PUZZLE "\r\n", SUDOKU_BAD, NULL, NULL},
    {PUZZLE ":\r\n", SUDOKU_BAD, NULL, NULL},
    {PUZZLE "0\r\n", SUDOKU_BAD, NULL, NULL},
    {"a" PUZZLE "\r\n", SUDOKU_BAD, NULL, NULL},
    {PUZZLE " \r\n", SUDOKU_BAD, NULL, NULL},
    {"a:" PUZZLE "\r\r\n", SUDOKU_BAD, NULL, NULL},
    {PUZZLE "\n" PUZZLE "\r\n", SUDOKU_BAD, NULL, NULL},
    {"", SUDOKU_UNFINISHED, NULL, NULL},
    {"\r", SUDOKU_UNFINISHED, NULL, NULL},
    {"\n", SUDOKU_UNFINISHED, NULL, NULL},
    {PUZZLE, SUDOKU_UNFINISHED, NULL, NULL},
    {PUZZLE "\r", SUDOKU_UNFINISHED, NULL, NULL},
    {PUZZLE "\n", SUDOKU_UNFINISHED, NULL, NULL},
    {PUZZLE "\n\r", SUDOKU_UNFINISHED, NULL, NULL},
};

/* In memory of its own, so that a sanitizer sees who reads behind it. */
static sudoku_verdict read_line(const char *text, size_t len, sudoku_request *request, size_t *line_len)
{
    static char *copy;
    free(copy);
    copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, text, len);
    return sudoku_line_read(copy, len, request, line_len);
}

static void check_request(const line_row *row)
{
    sudoku_request request;
    size_t line_len = 0;
    char answer[SUDOKU_ANSWER_MAX];
    assert_int_equal(read_line(row->line, strlen(row->line), &request, &line_len), row->verdict);
    if (row->verdict != SUDOKU_REQUEST)
        return;
    assert_int_equal(line_len, strstr(row->line, "\r\n") + 2 - row->line);
    assert_int_equal(request.id_len, strlen(row->id));
    assert_memory_equal(request.id, row->id, request.id_len);
    assert_int_equal(sudoku_line_answer(&request, answer), strlen(row->answer));
    assert_memory_equal(answer, row->answer, strlen(row->answer));
}

static void lines_are_told_apart(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        case_row("line %zu: %s", i, rows[i].line);
        check_request(&rows[i]);
    }
}

/* However much of it has come: unfinished before the LF, the verdict of the whole from there on. */
static void a_line_may_come_in_pieces(void)
{
    static const char line[] = "123456789012345678:" EMPTY "\r\n"; /* 100 bytes, and CRLF */
    sudoku_request request;
    size_t line_len;
    for (size_t len = 0; len < sizeof line - 1; len++) {
        case_row("%zu bytes", len);
        assert_int_equal(read_line(line, len, &request, &line_len), SUDOKU_UNFINISHED);
    }
    assert_int_equal(read_line(line, sizeof line - 1, &request, &line_len), SUDOKU_REQUEST);
    assert_int_equal(line_len, sizeof line - 1);
}

/* More than 100 bytes, and no end of it; a CR may still belong to the end. */
static void a_line_without_an_end_is_too_long(void)
{
    char text[300];
    sudoku_request request;
    size_t line_len;
    memset(text, '1', sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        case_row("%zu bytes", len);
        sudoku_verdict verdict = len > 100 ? SUDOKU_TOO_LONG : SUDOKU_UNFINISHED;
        assert_int_equal(read_line(text, len, &request, &line_len), verdict);
    }
    text[100] = '\r';
    assert_int_equal(read_line(text, 101, &request, &line_len), SUDOKU_UNFINISHED);
    assert_int_equal(read_line(text, 102, &request, &line_len), SUDOKU_TOO_LONG);
    text[101] = '\r';
    assert_int_equal(read_line(text, 102, &request, &line_len), SUDOKU_TOO_LONG);
    text[101] = '\n';
    assert_int_equal(read_line(text, 102, &request, &line_len), SUDOKU_BAD);
}

static void each_refusal_has_its_words(void)
{
    assert_string_equal(sudoku_line_complaint(SUDOKU_BAD), "Bad Request!\r\n");
    assert_string_equal(sudoku_line_complaint(SUDOKU_TOO_LONG), "Id too long!\r\n");
}

const struct test_case test_cases[] = {
    {"lines_are_told_apart", lines_are_told_apart},
    {"a_line_may_come_in_pieces", a_line_may_come_in_pieces},
    {"a_line_without_an_end_is_too_long", a_line_without_an_end_is_too_long},
    {"each_refusal_has_its_words", each_refusal_has_its_words},
    {NULL, NULL},
};
