/* SPDX-License-Identifier: MIT
 *
 * What the fuzz targets share. Each is one function over bytes, which libFuzzer makes up and replay.c reads from files.
 */
#ifndef FERRY_FUZZ_H
#define FERRY_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with a line, also where assert(3) is off. */
#define MUST(condition) ((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))

void fuzz_fail(const char *file, int line, const char *condition) __attribute__((noreturn, cold));

/* The input taken apart from its front; an input that has ended is zeros. */
struct fuzz_input {
    const uint8_t *data;
    size_t left;
};

uint8_t fuzz_byte(struct fuzz_input *input);

#endif
