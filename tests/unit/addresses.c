/* SPDX-License-Identifier: MIT
 *
 * Addresses as strings, taken apart and put together again.
 */
#include "case.h"

#include "sys/addr.h"

#include <errno.h>
#include <string.h>

static void format_of(const char *text, char *buf, size_t cap)
{
    struct fy_addr addr;
    struct fy_sockaddr at;
    assert_int_equal(fy_addr_parse(text, &addr), 0);
    assert_int_equal(fy_addr_resolve(&addr, true, &at, 1), 1);
    int len = fy_addr_format(&at, buf, cap);
    assert_int_equal(len, strlen(buf));
}

/* A link-local address is one of an interface, here the first there is. */
static void each_comes_back_as_it_was(void)
{
    static const char *const texts[] = {"127.0.0.1:80",  "[::1]:80",         "[fe80::1%1]:80", "[::]:0",
                                        "0.0.0.0:65535", "unix:/run/x.sock", "unix:@abstract"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char again[FY_ADDR_TEXT];
        case_row("%s", texts[i]);
        format_of(texts[i], again, sizeof again);
        assert_string_equal(again, texts[i]);
    }
}

static void some_have_a_shorter_form(void)
{
    static const struct {
        const char *text, *shown;
    } rows[] = {{"[::ffff:127.0.0.1]:80", "127.0.0.1:80"}, {"[0:0:0:0:0:0:0:1]:080", "[::1]:80"}, {":80", "[::]:80"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char shown[FY_ADDR_TEXT];
        case_row("%s", rows[i].text);
        format_of(rows[i].text, shown, sizeof shown);
        assert_string_equal(shown, rows[i].shown);
    }
}

static void one_without_room_is_refused(void)
{
    struct fy_addr addr;
    struct fy_sockaddr at;
    char buf[13];
    assert_int_equal(fy_addr_parse("127.0.0.1:80", &addr), 0);
    assert_int_equal(fy_addr_resolve(&addr, true, &at, 1), 1);
    assert_int_equal(fy_addr_format(&at, buf, 12), -ENOSPC);
    assert_int_equal(fy_addr_format(&at, buf, 13), 12);
}

const struct test_case test_cases[] = {
    {"each_comes_back_as_it_was", each_comes_back_as_it_was},
    {"some_have_a_shorter_form", some_have_a_shorter_form},
    {"one_without_room_is_refused", one_without_room_is_refused},
    {NULL, NULL},
};
