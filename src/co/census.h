/* SPDX-License-Identifier: MIT
 *
 * co: how deep stacks are used, for each entry function. Counting is by whole pages, and only of some: a stack is reused
 * with what its last user touched, so one that is to be counted has to be emptied first, which costs page faults.
 */
#ifndef FY_CO_CENSUS_H
#define FY_CO_CENSUS_H

#include "co/co.h"

void fy_census_begin(struct fy_co *co);
void fy_census_end(struct fy_co *co);
void fy_census_dump(const struct fy_cos *cos, FILE *to);

#endif
