/* SPDX-License-Identifier: MIT
 *
 * base: which of the tools that look over a program's shoulder it was built for: FY_ASAN, FY_TSAN, and FY_VALGRIND,
 * whose requests do nothing outside of it.
 */
#ifndef FY_BASE_TOOLS_H
#define FY_BASE_TOOLS_H

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define FY_VALGRIND 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#define FY_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FY_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define FY_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FY_TSAN 1
#endif
#endif

#endif
