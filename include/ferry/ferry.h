/* SPDX-License-Identifier: MIT
 *
 * ferry: TCP servers and clients for Linux.
 *
 * One connection type; a send that returns void, never blocks, may be called from any thread and never
 * interleaves. This is the umbrella: a program includes this file alone.
 *
 * Conventions, everywhere:
 *   - A function that can fail returns 0 or more, or -errno; one that returns a pointer returns NULL with errno set.
 *   - Times are milliseconds, sizes and lengths are bytes, unless a name says otherwise.
 *   - An options struct filled with zeros means the defaults; a NULL options pointer means the same.
 *   - "Thread: any" is meant literally. "Thread: loop" means inside a callback of that loop.
 *   - A caller's bug (a freed object, the wrong thread) ends the process with a sentence on stderr.
 */
#ifndef FERRY_FERRY_H
#define FERRY_FERRY_H

#define FERRY_VERSION_MAJOR 0
#define FERRY_VERSION_MINOR 1
#define FERRY_VERSION_PATCH 0

#include <ferry/co.h>
#include <ferry/conn.h>
#include <ferry/error.h>
#include <ferry/file.h>
#include <ferry/loop.h>
#include <ferry/server.h>
#include <ferry/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version, "MAJOR.MINOR.PATCH". Thread: any. */
FERRY_API const char *ferry_version(void);

#ifdef __cplusplus
}
#endif

#endif
