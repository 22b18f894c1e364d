/* SPDX-License-Identifier: MIT
 *
 * A program of many connections needs as many descriptors, and a shell gives it 1024 unless it asks for more.
 */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

/* Raises the limit as far as it goes without privileges (setrlimit(2)); returns how many may be open now. */
unsigned long descriptors_raise(void);

#endif
