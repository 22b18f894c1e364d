/* SPDX-License-Identifier: MIT
 *
 * Frames: making and checking.
 */
#include "frames.h"

#include "case.h"
#include "pattern.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

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

/* Reads a header, or the end of file in its place. */
static bool read_head(int fd, struct frame_head *head)
{
    ssize_t got = recv(fd, head, sizeof *head, 0);
    if (got < 0)
        fail_msg("frames: %s in place of a header", strerror(errno));
    if (got > 0)
        peer_read(fd, (char *)head + got, sizeof *head - (size_t)got);
    return got > 0;
}

static void read_body(struct frame_reader *reader, int fd, const struct frame_head *head)
{
    struct pattern body = body_of(head);
    size_t piece = reader->piece > 0 ? reader->piece : FRAME_BODY_MAX;
    while (body.at < head->length) {
        size_t left = head->length - (size_t)body.at;
        peer_read_pattern(fd, &body, left < piece ? left : piece);
    }
}

bool frame_read(struct frame_reader *reader, int fd)
{
    struct frame_head head;
    if (!read_head(fd, &head))
        return false;
    assert_int_equal(head.magic, magic);
    assert_in_range(head.sender, 0, FRAME_SENDERS - 1);
    assert_in_range(head.length, 0, FRAME_BODY_MAX);
    if (reader->gaps)
        assert_true(head.sequence >= reader->next[head.sender]);
    else
        assert_int_equal(head.sequence, reader->next[head.sender]);
    reader->next[head.sender] = head.sequence + 1;
    read_body(reader, fd, &head);
    reader->frames++;
    reader->bytes += sizeof head + head.length;
    return true;
}

void frames_read_to_eof(struct frame_reader *reader, int fd)
{
    while (frame_read(reader, fd))
        continue;
}
