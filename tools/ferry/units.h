/* SPDX-License-Identifier: MIT
 *
 * Numbers as people write them and read them: counts, sizes, durations.
 *
 * The parse functions suit `struct option`: they return NULL, or what the text should have been.
 */
#ifndef FERRY_TOOL_UNITS_H
#define FERRY_TOOL_UNITS_H

#include <stdbool.h>
#include <stdint.h>

enum { UNIT_TEXT = 24 }; /* room enough for what the print functions write */

/* Bytes, 1 or more, with K, M, G or T (1024, its square...) behind, into a uint64_t. */
const char *parse_size(const char *text, void *into);

/* Bytes a second, at most 1 PiB. */
const char *parse_rate(const char *text, void *into);

/* A size where 0 makes sense; into a struct known_size. */
struct known_size {
    uint64_t bytes;
    bool known;
};
const char *parse_known_size(const char *text, void *into);

/* 1 to 1024, into an unsigned. */
const char *parse_threads(const char *text, void *into);

/* 1 to 100000, into an unsigned. */
const char *parse_count(const char *text, void *into);

/* Seconds, 0 to a week, a fraction allowed, into an unsigned number of milliseconds. */
const char *parse_seconds(const char *text, void *into);

/* The same, but a millisecond at least. */
const char *parse_timeout(const char *text, void *into);

/* "17 B", "1.5 KiB", "16.0 GiB": writes into `text`, UNIT_TEXT long, and returns it. */
const char *print_size(char *text, double bytes);

/* "0:07", "12:05", "3:00:00". */
const char *print_duration(char *text, double seconds);

#endif
