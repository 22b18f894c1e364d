/* SPDX-License-Identifier: MIT
 *
 * The chat's frames: what a header says, and how much of a frame has to be there before it is one.
 */
#include "frame.h"

#include "case.h"

#include <errno.h>
#include <string.h>

static const struct {
    uint32_t length;
    unsigned char header[FRAME_HEADER];
} headers[] = {
    {0, {0, 0, 0, 0}},
    {1, {0, 0, 0, 1}},
    {255, {0, 0, 0, 255}},
    {256, {0, 0, 1, 0}},
    {65536, {0, 1, 0, 0}},
    {65537, {0, 1, 0, 1}},
    {16909060, {1, 2, 3, 4}},
    {0x7fffffff, {127, 255, 255, 255}},
    {0x80000000, {128, 0, 0, 0}},
    {UINT32_MAX, {255, 255, 255, 255}},
};

/* Compared with bytes that were written down, not with what the other function makes. */
static void header_is_big_endian(void)
{
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        case_row("length %u", headers[i].length);
        unsigned char written[FRAME_HEADER + 1] = {[FRAME_HEADER] = 0xaa};
        frame_write_header(written, headers[i].length);
        assert_memory_equal(written, headers[i].header, FRAME_HEADER);
        assert_int_equal(written[FRAME_HEADER], 0xaa);
        assert_int_equal(frame_read_header(headers[i].header), headers[i].length);
    }
}

/* A frame with a body of `length` bytes, at an odd address, in memory with no byte behind it. */
static void check_frame(size_t length)
{
    case_row("body of %zu bytes", length);
    size_t size = FRAME_HEADER + length;
    char *memory = test_malloc(1 + size), *data = memory + 1;
    memset(data, 'x', size);
    frame_write_header(data, (uint32_t)length);
    struct frame frame;
    for (size_t len = 0; len < size; len += len < 16 || len + 16 > size ? 1 : 1000)
        assert_int_equal(frame_parse(data, len < size ? len : size - 1, &frame), 0);
    assert_int_equal(frame_parse(data, size, &frame), 1);
    assert_ptr_equal(frame.body, data + FRAME_HEADER);
    assert_int_equal(frame.length, length);
    assert_int_equal(frame.size, size);
    test_free(memory);
}

static void frame_is_there_when_its_last_byte_is(void)
{
    static const size_t lengths[] = {0, 1, 2, 255, 256, 257, 65535, FRAME_BODY_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        check_frame(lengths[i]);
}

static void too_long_is_told_by_the_header_alone(void)
{
    static const uint32_t lengths[] = {FRAME_BODY_MAX + 1, 0x01000000, 0x7fffffff, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        case_row("length %u", lengths[i]);
        unsigned char header[FRAME_HEADER];
        struct frame frame;
        frame_write_header(header, lengths[i]);
        assert_int_equal(frame_parse(header, FRAME_HEADER - 1, &frame), 0);
        assert_int_equal(frame_parse(header, FRAME_HEADER, &frame), -EMSGSIZE);
        assert_int_equal(frame.length, lengths[i]);
    }
}

static void what_follows_is_left(void)
{
    static const char stream[] = "\0\0\0\3one\0\0\0\0\0\0\0\3two\0\0";
    static const char *const bodies[] = {"one", "", "two"};
    size_t at = 0;
    struct frame frame;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(frame_parse(stream + at, sizeof stream - 1 - at, &frame), 1);
        assert_int_equal(frame.length, strlen(bodies[i]));
        assert_memory_equal(frame.body, bodies[i], frame.length);
        at += frame.size;
    }
    assert_int_equal(frame_parse(stream + at, sizeof stream - 1 - at, &frame), 0);
}

const struct test_case test_cases[] = {
    {"header_is_big_endian", header_is_big_endian},
    {"frame_is_there_when_its_last_byte_is", frame_is_there_when_its_last_byte_is},
    {"too_long_is_told_by_the_header_alone", too_long_is_told_by_the_header_alone},
    {"what_follows_is_left", what_follows_is_left},
    {0},
};
