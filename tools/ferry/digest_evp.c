/* SPDX-License-Identifier: MIT
 *
 * SHA-256 by libcrypto. The EVP interface picks the processor's own instructions where it has them.
 */
#include "digest.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct digest {
    EVP_MD_CTX *context;
};

bool digest_available(void)
{
    return true;
}

struct digest *digest_new(void)
{
    struct digest *digest = calloc(1, sizeof *digest);
    if (digest == NULL)
        return NULL;
    digest->context = EVP_MD_CTX_new();
    if (digest->context != NULL && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1)
        return digest;
    digest_free(digest);
    return NULL;
}

bool digest_add(struct digest *digest, const void *data, size_t len)
{
    return EVP_DigestUpdate(digest->context, data, len) == 1;
}

bool digest_end(struct digest *digest, char text[DIGEST_TEXT])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_DigestFinal_ex(digest->context, bytes, &len) != 1)
        return false;
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

void digest_free(struct digest *digest)
{
    if (digest != NULL)
        EVP_MD_CTX_free(digest->context);
    free(digest);
}
