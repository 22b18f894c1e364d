/* SPDX-License-Identifier: MIT
 *
 * Whether the calling thread is inside a call of ferry, or on a coroutine, where no callback may run. Each call that a
 * test makes goes through this module (see inside_names.h), so that every callback can check that it does not run
 * inside one.
 */
#ifndef FERRY_TEST_INSIDE_H
#define FERRY_TEST_INSIDE_H

#include <stdbool.h>

bool inside_call(void);

#endif
