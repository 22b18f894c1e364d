/* SPDX-License-Identifier: MIT
 *
 * The codecs of the examples, over bytes of strangers: they stay inside of them, and say the same however these are cut up.
 */
#include "frame.h"
#include "fuzz.h"
#include "sudoku_line.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void frames(const char *data, size_t size)
{
    struct frame frame;
    for (size_t at = 0; at < size; at += frame.size) {
        int found = frame_parse(data + at, size - at, &frame);
        MUST(found == 1 || found == 0 || found == -EMSGSIZE);
        if (found != 1)
            return;
        MUST(frame.length <= FRAME_BODY_MAX && frame.size <= size - at && frame.body == data + at + FRAME_HEADER);
        MUST(frame_parse(data + at, frame.size - 1, &frame) == 0);
        MUST(frame_parse(data + at, frame.size, &frame) == 1);
    }
}

static void sudoku(const char *data, size_t size)
{
    sudoku_request request;
    size_t len;
    for (size_t at = 0; at < size; at += len) {
        sudoku_verdict verdict = sudoku_line_read(data + at, size - at, &request, &len);
        MUST(verdict <= SUDOKU_TOO_LONG);
        if (verdict != SUDOKU_REQUEST)
            return;
        MUST(len >= SUDOKU_CELLS + 2 && len <= size - at);
        MUST(request.puzzle >= data + at && request.puzzle + SUDOKU_CELLS <= data + at + len);
        MUST(request.id_len == 0 || request.id == data + at);
    }
}

static void texts(const char *data, size_t size)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    MUST(nowhere != NULL);
    (void)text_valid(data, size);
    text_print(nowhere, data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frames((const char *)data, size);
    sudoku((const char *)data, size);
    texts((const char *)data, size);
    return 0;
}
