/* SPDX-License-Identifier: MIT
 *
 * Each eight bytes of the stream are one number, mixed from the seed and its index as splitmix64 does.
 */
#include "pattern.h"

#include "case.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

static uint64_t word_at(const struct pattern *pattern)
{
    return mix(mix(pattern->seed) + pattern->at / 8);
}

/* The bytes from `at` to the end of its word, at most `len`, into `bytes`. Returns how many. */
static size_t next_bytes(const struct pattern *pattern, unsigned char bytes[8], size_t len)
{
    size_t skip = pattern->at % 8;
    size_t count = len < 8 - skip ? len : 8 - skip;
    uint64_t word = word_at(pattern);
    memcpy(bytes, (const unsigned char *)&word + skip, count);
    return count;
}

void pattern_fill(struct pattern *pattern, void *data, size_t len)
{
    unsigned char *out = data;
    while (len > 0) {
        unsigned char bytes[8];
        size_t count = next_bytes(pattern, bytes, len);
        memcpy(out, bytes, count);
        pattern->at += count;
        out += count;
        len -= count;
    }
}

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t len)
{
    size_t at = 0;
    while (at < len && a[at] == b[at])
        at++;
    return at;
}

size_t pattern_match(struct pattern *pattern, const void *data, size_t len)
{
    const unsigned char *in = data;
    size_t matched = 0;
    while (matched < len) {
        unsigned char bytes[8];
        size_t count = next_bytes(pattern, bytes, len - matched);
        size_t same = memcmp(in + matched, bytes, count) == 0 ? count : first_difference(in + matched, bytes, count);
        pattern->at += same;
        matched += same;
        if (same < count)
            break;
    }
    return matched;
}

void pattern_check(struct pattern *pattern, const void *data, size_t len)
{
    size_t matched = pattern_match(pattern, data, len);
    if (matched != len) {
        unsigned char expected[8];
        (void)next_bytes(pattern, expected, 1);
        fail_msg("stream %ju differs at offset %ju: %#x, expected %#x", (uintmax_t)pattern->seed,
                 (uintmax_t)pattern->at, ((const unsigned char *)data)[matched], expected[0]);
    }
}

void *pattern_new(uint64_t seed, size_t len)
{
    void *data = malloc(len > 0 ? len : 1);
    assert_non_null(data);
    struct pattern pattern = {.seed = seed};
    pattern_fill(&pattern, data, len);
    return data;
}

uint64_t random_next(uint64_t *state)
{
    *state += 1;
    return mix(*state);
}

size_t random_below(uint64_t *state, size_t limit)
{
    return (size_t)(random_next(state) % limit);
}
