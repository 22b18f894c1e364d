/* SPDX-License-Identifier: MIT
 *
 * SHA-256, from libcrypto where the build found it (digest_evp.c), else not there (digest_none.c).
 * Thread: one digest, one thread at a time.
 */
#ifndef FERRY_TOOL_DIGEST_H
#define FERRY_TOOL_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_TEXT = 65 }; /* 64 hexadecimal digits and the NUL */

struct digest;

/* Whether this program can compute digests at all. */
bool digest_available(void);

struct digest *digest_new(void); /* NULL = no memory */
bool digest_add(struct digest *digest, const void *data, size_t len);
bool digest_end(struct digest *digest, char text[DIGEST_TEXT]); /* lower case */
void digest_free(struct digest *digest);                        /* NULL is allowed */

#endif
