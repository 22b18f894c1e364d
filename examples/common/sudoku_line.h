/* SPDX-License-Identifier: MIT
 *
 * The lines of a sudoku server. A request is `[ID:]PUZZLE\r\n` with a puzzle of 81 characters, its answer `[ID:]SOLUTION\r\n`
 * or `[ID:]NoSolution\r\n`. An id has no colon in it, and an empty one is none.
 *
 * A line of up to 100 bytes before its CRLF is taken however it is cut up on the way; a longer one only when it is there
 * to its end, since nobody knows how much more of it there will be.
 */
#ifndef SUDOKU_LINE_H
#define SUDOKU_LINE_H

#include "sudoku.h"

#include <stddef.h>

enum { SUDOKU_LINE_MAX = 100, SUDOKU_ANSWER_MAX = SUDOKU_CELLS + 2 };

typedef enum sudoku_verdict { SUDOKU_UNFINISHED, SUDOKU_REQUEST, SUDOKU_BAD, SUDOKU_TOO_LONG } sudoku_verdict;

/* Both lie in the bytes that were read. */
typedef struct sudoku_request {
    const char *id; /* with its colon, which is how it goes back */
    size_t id_len;  /* 0 = none */
    const char *puzzle;
} sudoku_request;

/* Reads the first line of what has come. When that is a request, it fills it in, and *line_len is how much was read. */
sudoku_verdict sudoku_line_read(const char *data, size_t len, sudoku_request *request, size_t *line_len);

/* What a client is told last, after a line that is no request: with CRLF. */
const char *sudoku_line_complaint(sudoku_verdict verdict);

/* Solves the puzzle, and puts what goes behind the id, with its CRLF, into `answer`; returns the length. */
size_t sudoku_line_answer(const sudoku_request *request, char answer[SUDOKU_ANSWER_MAX]);

#endif
