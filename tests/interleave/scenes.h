/* SPDX-License-Identifier: MIT
 *
 * The scenes: a few threads of the library's own code each.
 */
#ifndef INTERLEAVE_SCENES_H
#define INTERLEAVE_SCENES_H

#include "explore.h"

/* A file of scenes is a program; a row of zeros ends them. */
extern const struct scene scenes[];

#endif
