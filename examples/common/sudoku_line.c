/* SPDX-License-Identifier: MIT
 *
 * Reading and writing the lines of sudoku_line.h.
 */
#include "sudoku_line.h"

#include <string.h>

static const char crlf[] = {'\r', '\n'};

static sudoku_verdict split(const char *line, size_t len, sudoku_request *request)
{
    const char *colon = memchr(line, ':', len);
    const char *puzzle = colon ? colon + 1 : line;
    size_t id_len = (size_t)(puzzle - line);
    if (len - id_len != SUDOKU_CELLS)
        return SUDOKU_BAD;
    *request = (sudoku_request){.id = line, .id_len = id_len == 1 ? 0 : id_len, .puzzle = puzzle};
    return SUDOKU_REQUEST;
}

sudoku_verdict sudoku_line_read(const char *data, size_t len, sudoku_request *request, size_t *line_len)
{
    const char *end = memmem(data, len, crlf, sizeof crlf);
    if (end) {
        *line_len = (size_t)(end - data) + sizeof crlf;
        return split(data, (size_t)(end - data), request);
    }
    /* The CR of a line that is just short enough may be there without its LF. */
    size_t line = len > 0 && data[len - 1] == '\r' ? len - 1 : len;
    return line > SUDOKU_LINE_MAX ? SUDOKU_TOO_LONG : SUDOKU_UNFINISHED;
}

const char *sudoku_line_complaint(sudoku_verdict verdict)
{
    return verdict == SUDOKU_TOO_LONG ? "Id too long!\r\n" : "Bad Request!\r\n";
}

size_t sudoku_line_answer(const sudoku_request *request, char answer[SUDOKU_ANSWER_MAX])
{
    static const char none[] = "NoSolution";
    size_t len = SUDOKU_CELLS;
    if (!sudoku_solve(request->puzzle, answer)) {
        len = sizeof none - 1;
        memcpy(answer, none, len);
    }
    memcpy(answer + len, crlf, sizeof crlf);
    return len + sizeof crlf;
}
