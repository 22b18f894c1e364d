/* SPDX-License-Identifier: MIT
 *
 * co: the table of all structs fy_co of the process, by number, and the handles that are made of number and generation.
 */
#ifndef FY_CO_TABLE_H
#define FY_CO_TABLE_H

#include "co/co.h"

/* A struct of that loop that is free, in use from now on; NULL = no memory. `foreign`: for another thread's spawn. */
struct fy_co *fy_table_take(ferry_loop *loop, bool foreign);

/* The coroutine of a handle, or NULL if it has finished. Any thread; what it returns may finish at any time, unless the
 * caller is its loop or holds its loop's fy_cos.lock. */
struct fy_co *fy_table_find(const ferry_co *handle);

/* Frees all structs of a loop. */
void fy_table_drop(ferry_loop *loop);

#endif
