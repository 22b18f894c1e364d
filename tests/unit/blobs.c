/* SPDX-License-Identifier: MIT
 *
 * Blobs by themselves: their bytes, their references, their release.
 */
#include "case.h"
#include "wait.h"

#include <errno.h>
#include <ferry/ferry.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct count released;

static void release(void *data)
{
    free(data);
    count_add(&released, 1);
}

static void a_copy_is_a_copy(void)
{
    char text[] = "some bytes";
    ferry_blob *blob = ferry_blob_new(text, sizeof text);
    assert_non_null(blob);
    memset(text, 0, sizeof text);
    assert_int_equal(ferry_blob_size(blob), sizeof text);
    assert_string_equal(ferry_blob_data(blob), "some bytes");
    ferry_blob_unref(blob);
}

static void an_empty_one_is_allowed(void)
{
    ferry_blob *blob = ferry_blob_new(NULL, 0);
    assert_non_null(blob);
    assert_int_equal(ferry_blob_size(blob), 0);
    ferry_blob_unref(blob);
    ferry_blob_unref(NULL);
}

/* So large that its length and what goes with it do not fit a size_t. */
static void one_that_is_too_large_is_refused(void)
{
    static volatile size_t most = SIZE_MAX; /* no constant: a compiler would say what it thinks of it */
    errno = 0;
    assert_null(ferry_blob_new("", most));
    assert_int_equal(errno, ENOMEM);
}

static void wrapped_bytes_are_released_once(void)
{
    char *data = malloc(100);
    assert_non_null(data);
    uint64_t before = count_get(&released);
    ferry_blob *blob = ferry_blob_wrap(data, 100, release);
    assert_non_null(blob);
    assert_ptr_equal(ferry_blob_data(blob), data);
    assert_ptr_equal(ferry_blob_ref(blob), blob);
    ferry_blob_unref(blob);
    assert_int_equal(count_get(&released), before);
    ferry_blob_unref(blob);
    assert_int_equal(count_get(&released), before + 1);
}

static void no_release_is_allowed(void)
{
    static char bytes[] = "static";
    ferry_blob *blob = ferry_blob_wrap(bytes, sizeof bytes, NULL);
    assert_non_null(blob);
    ferry_blob_unref(blob);
}

static void *juggle(void *arg)
{
    for (size_t i = 0; i < scale(100000); i++) {
        ferry_blob *own = ferry_blob_ref(arg);
        ferry_blob_unref(own);
    }
    ferry_blob_unref(arg);
    return NULL;
}

static void many_threads_hold_one(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    uint64_t before = count_get(&released);
    ferry_blob *blob = ferry_blob_wrap(malloc(1), 1, release);
    assert_non_null(blob);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, juggle, ferry_blob_ref(blob)), 0);
    ferry_blob_unref(blob);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(count_get(&released), before + 1);
}

const struct test_case test_cases[] = {
    {"a_copy_is_a_copy", a_copy_is_a_copy},
    {"an_empty_one_is_allowed", an_empty_one_is_allowed},
    {"wrapped_bytes_are_released_once", wrapped_bytes_are_released_once},
    {"no_release_is_allowed", no_release_is_allowed},
    {"many_threads_hold_one", many_threads_hold_one},
    {"one_that_is_too_large_is_refused", one_that_is_too_large_is_refused},
    {NULL, NULL},
};
