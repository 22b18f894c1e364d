/* SPDX-License-Identifier: MIT
 *
 * Text of strangers: which bytes are UTF-8, and that a terminal gets nothing to obey.
 */
#include "text.h"

#include "case.h"

#include <stdlib.h>
#include <string.h>

#define FFFD "\xef\xbf\xbd"

/* What is printed of it, without the newline; the same, where `shown` is NULL. */
static const struct {
    const char *bytes;
    bool valid;
    const char *shown;
} texts[] = {
    {"", true, NULL},
    {"plain ~", true, NULL},
    {"a\tb", true, NULL},
    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x9a\xa2", true, NULL},                   /* 2, 3 and 4 bytes */
    {"\xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xef\xbf\xbf", true, NULL},                 /* the first and last of each size */
    {"\xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", true, NULL}, /* beside surrogates; the last */
    {"\x1b[2J\a\x7f", true, "^[[2J^G^?"},                                        /* clear the screen, ring */
    {"one\ntwo\r", true, "one^Jtwo^M"},                                          /* no second line */
    {"\xc2\x9b"
     "2J",
     true, FFFD "2J"}, /* the same in one character */
    {"\x80", false, FFFD},
    {"\xc0\x8a", false, FFFD FFFD}, /* newline in two bytes */
    {"\xc1\xbf", false, FFFD FFFD},
    {"\xe0\x9f\xbf", false, FFFD FFFD FFFD}, /* in three, where two do */
    {"\xf0\x8f\xbf\xbf", false, FFFD FFFD FFFD FFFD},
    {"\xed\xa0\x80", false, FFFD FFFD FFFD},          /* a surrogate */
    {"\xf4\x90\x80\x80", false, FFFD FFFD FFFD FFFD}, /* above U+10FFFF */
    {"\xf5\x80\x80\x80", false, FFFD FFFD FFFD FFFD},
    {"\xff\xfe", false, FFFD FFFD},
    {"\xc3", false, FFFD}, /* cut off */
    {"\xe2\x82", false, FFFD FFFD},
    {"\xf0\x9f\x9a", false, FFFD FFFD FFFD},
    {"a\xe2\x82z", false, "a" FFFD FFFD "z"},
    {"\xc3\x1b[2J", false, FFFD "^[[2J"}, /* hides nothing behind it */
};

/* The text stands at the end of its memory, so that whoever reads on is seen by a sanitizer. */
static char *copy_exactly(const char *bytes, size_t len)
{
    char *copy = test_malloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    return copy;
}

static void print_to(char **shown, size_t *len, const char *text, size_t text_len)
{
    FILE *to = open_memstream(shown, len);
    assert_non_null(to);
    text_print(to, text, text_len);
    assert_int_equal(fclose(to), 0);
}

static void valid_or_not(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        case_row("text %zu", i);
        size_t len = strlen(texts[i].bytes);
        char *text = copy_exactly(texts[i].bytes, len);
        assert_int_equal(text_valid(text, len), texts[i].valid);
        test_free(text);
    }
}

static void shown_harmlessly(void)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        case_row("text %zu", i);
        size_t len = strlen(texts[i].bytes), shown_len;
        char *text = copy_exactly(texts[i].bytes, len), *shown;
        print_to(&shown, &shown_len, text, len);
        const char *expected = texts[i].shown ? texts[i].shown : texts[i].bytes;
        assert_int_equal(shown_len, strlen(expected) + 1);
        assert_memory_equal(shown, expected, shown_len - 1);
        assert_int_equal(shown[shown_len - 1], '\n');
        free(shown);
        test_free(text);
    }
}

static void zero_bytes_are_text(void)
{
    char *shown;
    size_t len;
    assert_true(text_valid("a\0b", 3));
    print_to(&shown, &len, "a\0b", 3);
    assert_string_equal(shown, "a^@b\n");
    free(shown);
}

const struct test_case test_cases[] = {
    {"valid_or_not", valid_or_not},
    {"shown_harmlessly", shown_harmlessly},
    {"zero_bytes_are_text", zero_bytes_are_text},
    {0},
};
