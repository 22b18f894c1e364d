/* SPDX-License-Identifier: MIT
 *
 * base: the library's log lines, and its last words.
 */
#ifndef FY_BASE_LOG_H
#define FY_BASE_LOG_H

#include <ferry/error.h>

/* One line to the hook of ferry_log_to(), if there is one. */
void fy_log(ferry_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A caller's bug: says so on stderr and aborts. */
void fy_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
