/* SPDX-License-Identifier: MIT
 *
 * A folder that a name cannot lead out of: what is opened again and again, while the program runs, is opened in there.
 */
#ifndef FERRY_TOOL_ROOT_H
#define FERRY_TOOL_ROOT_H

struct root {
    int fd;           /* of the folder; -1 = there is none */
    const char *name; /* the last part of a path */
};

/* The folder that `path` is in, as it is now; `path` is kept. 0 or -errno. */
int root_init(struct root *root, const char *path);

/* What has the name now, for reading: a descriptor or -errno. A symbolic link is followed inside of the folder;
 * one that leads out of it is -EXDEV. Thread: any. */
int root_open(const struct root *root);

void root_fini(struct root *root);

#endif
