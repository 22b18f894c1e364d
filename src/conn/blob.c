/* SPDX-License-Identifier: MIT
 *
 * conn: blobs, bytes shared by reference count.
 */
#include "conn/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ferry_blob {
    atomic_uint refs;
    size_t size;
    void *data; /* right behind the blob, or the caller's */
    void (*release)(void *data);
};

static ferry_blob *new_blob(size_t size, size_t extra)
{
    ferry_blob *blob = extra > SIZE_MAX - sizeof *blob ? NULL : malloc(sizeof *blob + extra);
    if (!blob) {
        errno = ENOMEM;
        return NULL;
    }
    atomic_init(&blob->refs, 1);
    blob->size = size;
    blob->release = NULL;
    return blob;
}

ferry_blob *ferry_blob_new(const void *data, size_t len)
{
    ferry_blob *blob = new_blob(len, len);
    if (!blob)
        return NULL;
    blob->data = blob + 1;
    if (len > 0)
        memcpy(blob->data, data, len);
    return blob;
}

ferry_blob *ferry_blob_wrap(void *data, size_t len, void (*release)(void *data))
{
    ferry_blob *blob = new_blob(len, 0);
    if (!blob)
        return NULL;
    blob->data = data;
    blob->release = release;
    return blob;
}

ferry_blob *ferry_blob_ref(ferry_blob *blob)
{
    atomic_fetch_add_explicit(&blob->refs, 1, memory_order_relaxed);
    return blob;
}

void ferry_blob_unref(ferry_blob *blob)
{
    if (!blob || atomic_fetch_sub_explicit(&blob->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (blob->release)
        blob->release(blob->data);
    free(blob);
}

const void *ferry_blob_data(const ferry_blob *blob)
{
    return blob->data;
}

size_t ferry_blob_size(const ferry_blob *blob)
{
    return blob->size;
}
