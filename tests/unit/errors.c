/* SPDX-License-Identifier: MIT
 *
 * Reasons in words, the version, and the log's way out.
 */
#include "case.h"

#include <errno.h>
#include <ferry/ferry.h>
#include <stdio.h>
#include <string.h>

static void each_reason_has_words_of_its_own(void)
{
    static const int reasons[] = {0,        -ECONNRESET, -ECONNABORTED, -ETIMEDOUT,    -ENOBUFS,      -EMSGSIZE,
                                  -ENODATA, -ECANCELED,  -ENOMEM,       -ECONNREFUSED, -EHOSTUNREACH, -ENETUNREACH};
    enum { COUNT = sizeof reasons / sizeof reasons[0] };
    char words[COUNT][256];
    for (size_t i = 0; i < COUNT; i++) {
        case_row("reason %d", reasons[i]);
        (void)snprintf(words[i], sizeof words[i], "%s", ferry_strerror(reasons[i]));
        assert_true(strlen(words[i]) > 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(words[i], words[k]);
    }
}

static void unknown_reasons_have_words_too(void)
{
    static const int reasons[] = {-EPERM, -ENOSYS, -1000000, 1, 1000000, -2147483647 - 1, 2147483647};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        case_row("reason %d", reasons[i]);
        const char *words = ferry_strerror(reasons[i]);
        assert_non_null(words);
        assert_true(strlen(words) > 0);
    }
}

static void version_is_that_of_the_header(void)
{
    char expected[32];
    (void)snprintf(expected, sizeof expected, "%d.%d.%d", FERRY_VERSION_MAJOR, FERRY_VERSION_MINOR,
                   FERRY_VERSION_PATCH);
    assert_string_equal(ferry_version(), expected);
}

const struct test_case test_cases[] = {
    {"each_reason_has_words_of_its_own", each_reason_has_words_of_its_own},
    {"unknown_reasons_have_words_too", unknown_reasons_have_words_too},
    {"version_is_that_of_the_header", version_is_that_of_the_header},
    {NULL, NULL},
};
