/* SPDX-License-Identifier: MIT
 *
 * Whether the calling thread is inside a call of ferry. The linker sends each call that a test makes through this
 * module (see CMakeLists.txt), so that every callback can check that it does not run inside one.
 */
#ifndef FERRY_TEST_INSIDE_H
#define FERRY_TEST_INSIDE_H

#include <stdbool.h>

bool inside_call(void);

#endif
