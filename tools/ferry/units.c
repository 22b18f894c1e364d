/* SPDX-License-Identifier: MIT
 *
 * Numbers as people write them and read them.
 */
#include "units.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decimal digits alone: no sign, no space, no hexadecimal, which strtoull() would all take. */
static bool read_digits(const char *text, uint64_t *number, const char **end)
{
    if (!isdigit((unsigned char)*text))
        return false;
    char *stop;
    errno = 0;
    *number = strtoull(text, &stop, 10);
    *end = stop;
    return errno == 0;
}

static bool read_number(const char *text, uint64_t *number)
{
    const char *end;
    return read_digits(text, number, &end) && *end == '\0';
}

static bool read_size(const char *text, uint64_t *bytes)
{
    static const char suffixes[] = "KMGT";
    const char *end;
    if (!read_digits(text, bytes, &end))
        return false;
    if (*end == '\0')
        return true;
    const char *suffix = strchr(suffixes, toupper((unsigned char)*end));
    if (suffix == NULL || end[1] != '\0')
        return false;
    unsigned shift = 10 * (unsigned)(suffix - suffixes + 1);
    if (*bytes > UINT64_MAX >> shift)
        return false;
    *bytes <<= shift;
    return true;
}

const char *parse_size(const char *text, void *into)
{
    uint64_t bytes;
    if (!read_size(text, &bytes) || bytes == 0)
        return "a number of bytes, 1 or more (as in 4096, 64K, 100M, 6G)";
    *(uint64_t *)into = bytes;
    return NULL;
}

const char *parse_rate(const char *text, void *into)
{
    uint64_t bytes;
    if (!read_size(text, &bytes) || bytes == 0 || bytes > UINT64_C(1) << 50)
        return "a number of bytes a second, 1 or more (as in 64K, 100M)";
    *(uint64_t *)into = bytes;
    return NULL;
}

const char *parse_known_size(const char *text, void *into)
{
    uint64_t bytes;
    if (!read_size(text, &bytes))
        return "a number of bytes (as in 4096, 64K, 100M, 6G)";
    *(struct known_size *)into = (struct known_size){.bytes = bytes, .known = true};
    return NULL;
}

static bool store_below(const char *text, uint64_t most, void *into)
{
    uint64_t number;
    if (!read_number(text, &number) || number == 0 || number > most)
        return false;
    *(unsigned *)into = (unsigned)number;
    return true;
}

const char *parse_threads(const char *text, void *into)
{
    return store_below(text, 1024, into) ? NULL : "a number from 1 to 1024";
}

const char *parse_count(const char *text, void *into)
{
    return store_below(text, 100000, into) ? NULL : "a number from 1 to 100000";
}

static bool read_seconds(const char *text, unsigned *ms)
{
    enum { WEEK = 7 * 24 * 3600 };
    char *end;
    bool plain = text[strspn(text, "0123456789.")] == '\0' && strpbrk(text, "0123456789") != NULL;
    double seconds = plain ? strtod(text, &end) : -1;
    if (!plain || *end != '\0' || seconds > WEEK)
        return false;
    *ms = (unsigned)(seconds * 1000 + 0.5);
    return true;
}

const char *parse_seconds(const char *text, void *into)
{
    return read_seconds(text, into) ? NULL : "a number of seconds, at most a week";
}

const char *parse_timeout(const char *text, void *into)
{
    unsigned ms;
    if (!read_seconds(text, &ms) || ms == 0)
        return "a number of seconds, more than 0 and at most a week";
    *(unsigned *)into = ms;
    return NULL;
}

const char *print_size(char *text, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    while (bytes >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, UNIT_TEXT, "%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
    return text;
}

const char *print_duration(char *text, double seconds)
{
    enum { LONGEST = 100 * 3600 };
    if (!(seconds < LONGEST))
        seconds = LONGEST - 1;
    unsigned whole = (unsigned)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, UNIT_TEXT, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, UNIT_TEXT, "%u:%02u", whole / 60, whole % 60);
    return text;
}
