/* SPDX-License-Identifier: MIT
 *
 * conn: what stands in a connection's outbox: copied bytes, lent bytes, shared bytes, ranges of files, pipes.
 *
 * A segment is handled by the outbox under its lock, except that the writer reads, without the lock, the bytes it has
 * looked up under it; they stay where they are until the writer itself takes them out.
 */
#ifndef FY_CONN_SEGMENT_H
#define FY_CONN_SEGMENT_H

#include <ferry/conn.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum fy_kind {
    FY_CHUNK,  /* many small messages, copied one behind the other; more may be appended */
    FY_MEMORY, /* bytes somewhere else; `release(owner)` when they have left, and the kernel reads them no more */
    FY_LENT,   /* bytes of the thread that is sending them right now; it takes what is left over before it returns */
    FY_FILE,   /* a range of a file */
    FY_PIPE    /* what was spliced from another connection, see conn/forward.c */
};

struct fy_pipe;
struct fy_cold; /* a read-ahead under way, see conn/file.c */

struct fy_segment {
    struct fy_segment *next;
    enum fy_kind kind;
    int verdict;   /* FY_FILE, when it leaves the queue: 0 or -errno */
    uint64_t left; /* bytes of it not in the kernel yet */
    union {
        struct {
            uint32_t head, tail, cap; /* bytes[head..tail) wait */
            char *bytes;              /* right behind the segment */
        } chunk;
        struct {
            const char *at;
            void (*release)(void *owner); /* NULL = nothing to do */
            void *owner;
            uint32_t lent;  /* bytes, in the loan that the backend is sending now; 0 = none */
            unsigned loans; /* of its bytes, under way: lend.c */
            bool gone;      /* out of the queue, and let go of with the last of them */
        } memory;
        struct {
            const struct iovec *iov;
            int count;
            size_t skip; /* bytes at the front of iov that have left */
        } lent;
        struct {
            ferry_file *file;
            uint64_t offset;
            uint64_t warm_until;      /* known to be in memory up to this offset */
            struct fy_cold *cold;     /* the read-ahead that is waited for, or NULL */
            ferry_transfer *transfer; /* or NULL */
        } file;
        struct {
            struct fy_pipe *pipe;
            ferry_conn *from; /* a reference */
        } pipe;
    };
};

/* Makes so much memory a chunk, which fy_segment_free() may free as malloc's. */
struct fy_segment *fy_segment_chunk(void *memory, size_t bytes);

/* NULL = no memory. */
struct fy_segment *fy_segment_memory(const void *data, size_t len, void (*release)(void *), void *owner);
struct fy_segment *fy_segment_lent(const struct iovec *iov, int count, size_t len);
struct fy_segment *fy_segment_file(ferry_file *file, uint64_t offset, uint64_t len, ferry_transfer *transfer);
struct fy_segment *fy_segment_pipe(struct fy_pipe *pipe, uint64_t len, ferry_conn *from);

/* Whether the kernel moves its bytes, on the loop's thread, and no memory of ours holds them. */
static inline bool fy_segment_is_moved(const struct fy_segment *segment)
{
    return segment->kind == FY_FILE || segment->kind == FY_PIPE;
}

/* Copies all of a vector's bytes behind each other. */
void fy_iov_copy(char *to, const struct iovec *iov, int count, size_t skip);

/* A segment of borrowed bytes becomes one of memory of its own, in two steps: the copy of what is left, NULL = no
 * memory, which needs no lock (the caller is the writer); and the change, which does. */
char *fy_segment_copy(const struct fy_segment *segment);
void fy_segment_adopt(struct fy_segment *segment, char *copy);

/* Adds the segment's bytes to `iov`, at most `room` entries; returns how many. Not for what is moved. */
int fy_segment_gather(const struct fy_segment *segment, struct iovec *iov, int room);

/* `n` bytes of it have left. */
void fy_segment_advance(struct fy_segment *segment, uint64_t n);

/* Whether letting it go may run the user's code, so that it has to be done on the loop, outside of any call to ferry.
 */
bool fy_segment_is_watched(const struct fy_segment *segment);

/* Lets go of a segment that has left or was dropped. */
void fy_segment_free(struct fy_segment *segment);

#endif
