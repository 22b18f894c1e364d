/* SPDX-License-Identifier: MIT
 *
 * base: log lines, last words and reasons in words.
 */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    void (*fn)(ferry_log_level level, const char *line, void *arg);
    void *arg;
} hook;

void ferry_log_to(void (*fn)(ferry_log_level level, const char *line, void *arg), void *arg)
{
    hook.arg = arg;
    hook.fn = fn;
}

void fy_log(ferry_log_level level, const char *format, ...)
{
    if (!hook.fn)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    hook.fn(level, line, hook.arg);
}

void fy_fatal(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("ferry: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

const char *ferry_strerror(int reason)
{
    switch (reason) {
    case 0:
        return "closed in order";
    case -ECONNRESET:
        return "reset by the peer";
    case -ECONNABORTED:
        return "aborted on this side";
    case -ETIMEDOUT:
        return "timed out";
    case -ENOBUFS:
        return "too many bytes pending";
    case -EMSGSIZE:
        return "too much unconsumed input";
    case -ENODATA:
        return "the file is shorter than what was to be sent";
    case -ECANCELED:
        return "cancelled";
    case -ENOENT:
        return "No such file or name";
    default:
        break;
    }
    static _Thread_local char text[128];
    int number = reason < -INT_MAX ? INT_MAX : abs(reason);
    return strerror_r(number, text, sizeof text);
}
