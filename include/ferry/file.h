/* SPDX-License-Identifier: MIT
 *
 * What can be sent besides plain bytes: blobs (reference-counted memory) and files (reference-counted descriptors).
 * Both may be shared by any number of connections, loops and threads.
 */
#ifndef FERRY_FILE_H
#define FERRY_FILE_H

#include <ferry/error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ferry_conn ferry_conn;
typedef struct ferry_blob ferry_blob;
typedef struct ferry_file ferry_file;
typedef struct ferry_transfer ferry_transfer;

/* A blob holding a copy of `len` bytes, with one reference. Thread: any. Fails: NULL with ENOMEM. */
FERRY_API ferry_blob *ferry_blob_new(const void *data, size_t len);

/* A blob around the caller's bytes, not copied, with one reference. They must not change until release(data) is called,
 * once, when the last reference is gone and the last receiver's last byte is in the kernel or dropped; by whichever
 * thread comes last, never inside a ferry_send call. `release` may be NULL. Thread: any.
 * Fails: NULL with ENOMEM; the bytes are still the caller's. */
FERRY_API ferry_blob *ferry_blob_wrap(void *data, size_t len, void (*release)(void *data));

/* Thread: any, these four. */
FERRY_API ferry_blob *ferry_blob_ref(ferry_blob *blob);
FERRY_API void ferry_blob_unref(ferry_blob *blob); /* NULL is allowed */
FERRY_API const void *ferry_blob_data(const ferry_blob *blob);
FERRY_API size_t ferry_blob_size(const ferry_blob *blob);

/* A regular file opened for reading, with one reference; it is closed with the last one, and ferry_send_file() holds one
 * until its last byte has left. Thread: any; it may block on a slow file system.
 * Fails: NULL with the errno of open(2); EISDIR for a directory; EINVAL for a FIFO, a socket or a device. */
FERRY_API ferry_file *ferry_file_open(const char *path);

/* The same around a descriptor, which the file owns from now on. Its position is neither used nor moved.
 * Fails as ferry_file_open(), and EBADF; the descriptor is still the caller's then. */
FERRY_API ferry_file *ferry_file_from_fd(int fd);

/* Thread: any, these four. */
FERRY_API ferry_file *ferry_file_ref(ferry_file *file);
FERRY_API void ferry_file_unref(ferry_file *file);          /* NULL is allowed */
FERRY_API uint64_t ferry_file_size(const ferry_file *file); /* when it was opened */
FERRY_API int ferry_file_fd(const ferry_file *file);        /* for pread(2); the file keeps it */

/* The length that means "to the end of the file, as long as it is when the call is made". */
#define FERRY_TO_END UINT64_MAX

/* How a file's way out is watched and paced. All callbacks run on the connection's loop, outside of any call to ferry. */
typedef struct ferry_transfer_options {
    uint64_t rate; /* at most so many bytes a second; 0 = as fast as it goes */
    void (*on_progress)(ferry_conn *conn, uint64_t sent, void *arg);          /* now and then, at most once a turn */
    void (*on_done)(ferry_conn *conn, uint64_t sent, int verdict, void *arg); /* exactly once: 0 = all `sent` bytes are
                        in the kernel; -ENODATA = the file was too short; else the reason the connection closed with */
    void *arg;
} ferry_transfer_options;

/* ferry_send_file() with a handle. The handle is the caller's to give back with ferry_transfer_unref(), and stays valid
 * until then whatever becomes of the connection.
 * Thread: any. Fails: NULL with ENOMEM, ENOTCONN (closed), ESHUTDOWN; nothing was queued, and no callback follows. */
FERRY_API ferry_transfer *ferry_send_file_as(ferry_conn *conn, ferry_file *file, uint64_t offset, uint64_t len,
                                             const ferry_transfer_options *options);

/* Gives a transfer up. One that has not begun leaves the queue whole, as if never sent, counted as dropped; one that is
 * under way cannot be taken back, so the connection closes with -ECANCELED. No effect when done. Thread: any. */
FERRY_API void ferry_transfer_cancel(ferry_transfer *transfer);

FERRY_API uint64_t ferry_transfer_sent(const ferry_transfer *transfer); /* bytes in the kernel so far; thread: any */
FERRY_API void ferry_transfer_unref(ferry_transfer *transfer);          /* NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
