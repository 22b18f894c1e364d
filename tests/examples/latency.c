/* SPDX-License-Identifier: MIT
 *
 * The histogram of the examples: percentiles are never below the truth, and at most a 64th above it.
 */
#include "latency.h"

#include "case.h"

#include <stdlib.h>
#include <string.h>

static struct latency histogram, other;

static void start(void)
{
    histogram = (struct latency){0};
    other = (struct latency){0};
}

static void nothing_is_zero(void)
{
    start();
    assert_int_equal(latency_percentile(&histogram, 50), 0);
    assert_int_equal(latency_percentile(&histogram, 100), 0);
    char line[LATENCY_LINE_MAX];
    int len = latency_format(&histogram, line, sizeof line);
    assert_string_equal(line, "0 in all, p50 0.0 us, p99 0.0 us, p99.9 0.0 us, max 0.0 us");
    assert_int_equal(len, strlen(line));
}

/* One number alone is each of its percentiles, exactly: the maximum is kept, and nothing is above it. */
static void one_number_is_exact(void)
{
    for (unsigned shift = 0; shift < 64; shift++) {
        uint64_t power = UINT64_C(1) << shift;
        const uint64_t numbers[] = {power - 1, power, power + 1, power + power / 3};
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
            case_row("2^%u, number %zu", shift, i);
            start();
            latency_add(&histogram, numbers[i]);
            assert_int_equal(latency_percentile(&histogram, 0), numbers[i]);
            assert_int_equal(latency_percentile(&histogram, 50), numbers[i]);
            assert_int_equal(latency_percentile(&histogram, 100), numbers[i]);
        }
    }
}

/* With a larger number beside it, the smaller is rounded up by its bucket, and by no more than a 64th. */
static void error_is_bounded(void)
{
    uint64_t number = 1;
    for (int round = 0; number < UINT64_C(1) << 39; round++) {
        case_row("round %d: %llu", round, (unsigned long long)number);
        start();
        latency_add(&histogram, number);
        latency_add(&histogram, number * 2 + 1);
        uint64_t half = latency_percentile(&histogram, 50);
        assert_in_range(half, number, number + number / 64);
        number += number / 97 + 1;
    }
}

static int compare(const void *one, const void *two)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)two;
    return (a > b) - (a < b);
}

/* Against the sorted list of what was added. */
static void percentiles_are_those_of_a_list(void)
{
    enum { COUNT = 10000 };
    static uint64_t list[COUNT];
    start();
    srandom(1);
    for (int i = 0; i < COUNT; i++) {
        list[i] = (uint64_t)random() >> random() % 31;
        latency_add(&histogram, list[i]);
    }
    qsort(list, COUNT, sizeof *list, compare);
    const double percents[] = {0.01, 1, 25, 50, 90, 99, 99.9, 99.99, 100};
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        case_row("%.2f%%", percents[i]);
        uint64_t truth = list[(size_t)(percents[i] * COUNT / 100 + 0.5) - 1];
        assert_in_range(latency_percentile(&histogram, percents[i]), truth, truth + truth / 64);
    }
    assert_int_equal(histogram.count, COUNT);
    assert_int_equal(histogram.max_ns, list[COUNT - 1]);
}

static void merging_is_adding(void)
{
    struct latency both = {0};
    start();
    for (uint64_t i = 1; i < 5000; i++) {
        latency_add(i % 3 ? &histogram : &other, i * i);
        latency_add(&both, i * i);
    }
    latency_merge(&histogram, &other);
    assert_memory_equal(&histogram, &both, sizeof both);
}

static void huge_numbers_fit(void)
{
    start();
    latency_add(&histogram, UINT64_MAX);
    latency_add(&histogram, UINT64_C(1) << 40);
    latency_add(&histogram, 5);
    assert_int_equal(latency_percentile(&histogram, 30), 5);
    assert_int_equal(latency_percentile(&histogram, 100), UINT64_MAX);
    char line[LATENCY_LINE_MAX];
    assert_true(latency_format(&histogram, line, sizeof line) < LATENCY_LINE_MAX);
}

static void line_is_in_microseconds(void)
{
    start();
    for (int i = 0; i < 999; i++)
        latency_add(&histogram, 63);
    latency_add(&histogram, 1234567);
    char line[LATENCY_LINE_MAX];
    latency_format(&histogram, line, sizeof line);
    assert_string_equal(line, "1000 in all, p50 0.1 us, p99 0.1 us, p99.9 0.1 us, max 1234.6 us");
}

static void clock_goes_on(void)
{
    uint64_t before = latency_now();
    assert_true(before > 0);
    assert_true(latency_now() >= before);
}

const struct test_case test_cases[] = {
    {"nothing_is_zero", nothing_is_zero},
    {"one_number_is_exact", one_number_is_exact},
    {"error_is_bounded", error_is_bounded},
    {"percentiles_are_those_of_a_list", percentiles_are_those_of_a_list},
    {"merging_is_adding", merging_is_adding},
    {"huge_numbers_fit", huge_numbers_fit},
    {"line_is_in_microseconds", line_is_in_microseconds},
    {"clock_goes_on", clock_goes_on},
    {0},
};
