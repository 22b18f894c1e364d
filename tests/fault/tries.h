/* SPDX-License-Identifier: MIT
 *
 * Each call made to fail: a scene is played once to count its calls, and then again and again, with the k-th call of a kind
 * failing, in each way that it may, once, and from then on.
 *
 * FERRY_FAULT_SECONDS is how long that may take for one scene, 3 by default: what is tried is chosen by FERRY_FAULT_SEED. With
 * FERRY_FAULT_FULL all is. FERRY_FAULT_ONE plays one alone, as a failure names it: "uring malloc ENOMEM once 3".
 */
#ifndef FERRY_TEST_TRIES_H
#define FERRY_TEST_TRIES_H

#include "stage.h"

/* Plays on the stage, from stage_open() to right before stage_close(). */
void try_all(void (*play)(struct stage *stage));

#endif
