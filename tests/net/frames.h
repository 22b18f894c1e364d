/* SPDX-License-Identifier: MIT
 *
 * Messages that can be told apart: a header with sender, sequence number and length, and a body that follows from them.
 * A reader sees any frame that is torn, mixed with another, lost, doubled or out of its sender's order.
 */
#ifndef FERRY_TEST_FRAMES_H
#define FERRY_TEST_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_SENDERS = 64, FRAME_BODY_MAX = 300 * 1024 };

struct frame_head {
    uint32_t magic;
    uint32_t sender;
    uint32_t sequence;
    uint32_t length; /* of the body */
};

/* A whole frame in a buffer from malloc(); its length goes to *total. */
void *frame_new(uint32_t sender, uint32_t sequence, size_t length, size_t *total);

struct frame_reader {
    bool gaps; /* frames may be missing, but only whole ones */
    uint64_t frames, bytes;
    uint32_t next[FRAME_SENDERS]; /* the sequence number that each sender's next frame must have, or exceed */
    size_t piece;                 /* how much to read at a time; 0 = what the frame needs */
};

/* Reads one frame and checks it. Returns false when the end of file came instead. */
bool frame_read(struct frame_reader *reader, int fd);

/* The same for a connection that may be cut: 1 = a frame, 0 = the end of file, which must be between two frames, -errno =
 * cut, be it in the middle of one. */
int frame_try(struct frame_reader *reader, int fd);

/* Reads frames until the end of file, which must be between two frames. */
void frames_read_to_eof(struct frame_reader *reader, int fd);

#endif
