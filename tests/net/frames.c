/* SPDX-License-Identifier: MIT
 *
 * Frames: making and checking.
 */
#include "frames.h"

#include "case.h"
#include "pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t magic = 0x46524d45;

static struct pattern body_of(const struct frame_head *head)
{
    return (struct pattern){.seed = (uint64_t)head->sender << 32 | head->sequence};
}

void *frame_new(uint32_t sender, uint32_t sequence, size_t length, size_t *total)
{
    struct frame_head head = {magic, sender, sequence, (uint32_t)length};
    struct pattern body = body_of(&head);
    char *frame = malloc(sizeof head + length);
    assert_non_null(frame);
    memcpy(frame, &head, sizeof head);
    pattern_fill(&body, frame + sizeof head, length);
    *total = sizeof head + length;
    return frame;
}

/* Reads up to `len` bytes; fewer only at the end of file. Returns how many, or -errno. */
static ssize_t read_most(int fd, void *data, size_t len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t got = TEMP_FAILURE_RETRY(recv(fd, (char *)data + have, len - have, 0));
        if (got < 0 && errno == EAGAIN)
            fail_msg("frames: nothing comes, and no end");
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static void check_head(struct frame_reader *reader, const struct frame_head *head)
{
    assert_int_equal(head->magic, magic);
    assert_in_range(head->sender, 0, FRAME_SENDERS - 1);
    assert_in_range(head->length, 0, FRAME_BODY_MAX);
    if (reader->gaps)
        assert_true(head->sequence >= reader->next[head->sender]);
    else
        assert_int_equal(head->sequence, reader->next[head->sender]);
    reader->next[head->sender] = head->sequence + 1;
}

/* 0, or -errno. */
static int read_body(struct frame_reader *reader, int fd, const struct frame_head *head)
{
    char buffer[64 * 1024];
    struct pattern body = body_of(head);
    size_t most = reader->piece > 0 ? reader->piece : sizeof buffer;
    while (body.at < head->length) {
        size_t left = head->length - (size_t)body.at;
        size_t piece = left < most ? left : most;
        ssize_t got = read_most(fd, buffer, piece);
        if (got < 0)
            return (int)got;
        pattern_check(&body, buffer, (size_t)got);
        if ((size_t)got < piece)
            fail_msg("frames: the end of file, %zu bytes short of a frame", left - (size_t)got);
    }
    return 0;
}

int frame_try(struct frame_reader *reader, int fd)
{
    struct frame_head head;
    ssize_t got = read_most(fd, &head, sizeof head);
    if (got <= 0)
        return (int)got;
    assert_int_equal(got, sizeof head);
    check_head(reader, &head);
    int error = read_body(reader, fd, &head);
    if (error < 0)
        return error;
    reader->frames++;
    reader->bytes += sizeof head + head.length;
    return 1;
}

bool frame_read(struct frame_reader *reader, int fd)
{
    int result = frame_try(reader, fd);
    if (result < 0)
        fail_msg("frames: cut: %s", strerror(-result));
    return result > 0;
}

void frames_read_to_eof(struct frame_reader *reader, int fd)
{
    while (frame_read(reader, fd))
        continue;
}
