/* SPDX-License-Identifier: MIT
 *
 * Messages, and what must be true of their arrival: whole, in the order of the calls, none missing before one that came.
 */
#include "world.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 8 };

unsigned message_new(struct side *from, size_t len, unsigned char **bytes)
{
    if (world.message_count == MESSAGES)
        sim_fail("more than %d messages", (int)MESSAGES);
    if (len < HEADER)
        len = HEADER;
    unsigned number = world.message_count++;
    world.messages[number] = (struct message){.from = (unsigned)(from - world.sides), .len = len};
    unsigned char *message = malloc(len);
    if (!message)
        sim_fail("no memory for a message");
    const uint32_t header[2] = {number, (uint32_t)len};
    memcpy(message, header, HEADER);
    struct pattern pattern = {.seed = number};
    pattern_fill(&pattern, message + HEADER, len - HEADER);
    *bytes = message;
    return number;
}

void message_begins(unsigned message)
{
    world.messages[message].begun = ++world.calls;
    world.sides[world.messages[message].from].calls++;
}

void message_ends(unsigned message)
{
    world.messages[message].ended = ++world.calls;
}

static void arrive(const struct side *to, unsigned number)
{
    struct message *m = &world.messages[number];
    struct side *from = &world.sides[m->from];
    if (m->arrived)
        sim_fail("side %d: message %u arrived twice", (int)(to - world.sides), number);
    if (m->ended && m->ended < from->latest_begun)
        sim_fail("side %d: message %u was overtaken", (int)(to - world.sides), number);
    m->arrived = true;
    from->arrived++;
    if (m->begun > from->latest_begun)
        from->latest_begun = m->begun;
    sim_result->messages++;
    sim_note("arrived", number, m->len);
}

static void read_header(const struct side *to, struct reader *r)
{
    uint32_t header[2];
    memcpy(header, r->header, HEADER);
    r->message = header[0];
    const struct message *m = &world.messages[r->message];
    if (r->message >= world.message_count || header[1] != m->len || m->begun == 0)
        sim_fail("side %d: no message begins at offset %llu", (int)(to - world.sides), (unsigned long long)r->at);
    const struct side *from = &world.sides[m->from];
    if (from == to || from->port != to->port)
        sim_fail("side %d: message %u is another's", (int)(to - world.sides), r->message);
    r->left = m->len - HEADER;
    r->bytes = (struct pattern){.seed = r->message};
}

/* Takes a part of a header, or of a message: how much. */
static size_t take_part(const struct side *to, struct reader *r, const unsigned char *data, size_t len)
{
    size_t part;
    if (r->have < HEADER) {
        part = len < HEADER - r->have ? len : HEADER - r->have;
        memcpy(r->header + r->have, data, part);
        r->have += (unsigned)part;
        if (r->have == HEADER)
            read_header(to, r);
        return part;
    }
    part = len < r->left ? len : r->left;
    if (pattern_match(&r->bytes, data, part) != part)
        sim_fail("side %d: message %u is not itself at offset %llu", (int)(to - world.sides), r->message,
                 (unsigned long long)r->at);
    r->left -= part;
    return part;
}

static void read_on(const struct side *to, struct reader *r, const void *data, size_t len, bool real)
{
    for (const unsigned char *bytes = data; len > 0;) {
        size_t part = take_part(to, r, bytes, len);
        r->at += part;
        bytes += part;
        len -= part;
        if (r->have < HEADER || r->left > 0)
            continue;
        if (real)
            arrive(to, r->message);
        r->have = 0;
    }
}

void reader_takes(struct side *to, const void *data, size_t len)
{
    read_on(to, &to->reader, data, len, true);
    if (to->reader.at > to->seen)
        to->seen = to->reader.at;
}

/* What was left the last time has to come again. */
void reader_rehearses(struct side *to, const void *data, size_t len)
{
    struct reader copy = to->reader;
    if (len < to->leftover)
        sim_fail("side %d: of %zu bytes that it left %zu came again", (int)(to - world.sides), to->leftover, len);
    read_on(to, &copy, data, len, false);
    to->seen = copy.at;
}

/* A clean end says that this was all: what the other side queued, no less. */
void reader_ends(struct side *to)
{
    const struct side *from = other_side(to);
    to->eof = true;
    if (!from || from->raw)
        return;
    ferry_stats stats;
    ferry_conn_stats(from->conn, &stats);
    sim_note("end of input", (uint64_t)(to - world.sides), to->seen);
    if (to->seen != stats.queued)
        sim_fail("side %d: a clean end after %llu bytes, of %llu that were queued", (int)(to - world.sides),
                 (unsigned long long)to->seen, (unsigned long long)stats.queued);
    sim_reached(SIM_EOF_WHOLE);
}

/* What has not arrived was sent after all that has; unless it was dropped, and that was counted. */
void messages_check(const struct side *from)
{
    const struct side *to = other_side(from);
    unsigned holes = 0;
    for (unsigned i = 0; i < world.message_count; i++) {
        const struct message *m = &world.messages[i];
        if (&world.sides[m->from] == from && !m->arrived && !m->may_be_left_out && m->ended &&
            m->ended < from->latest_begun)
            holes++;
    }
    if (from->raw)
        return;
    if (holes > 0 && (world.plan.limits.overflow != FERRY_OVERFLOW_DROP || holes > from->stats.drops))
        sim_fail("side %d: %u messages are missing before one that arrived", (int)(from - world.sides), holes);
    if (to && to->eof && to->leftover == 0 && from->arrived + from->stats.drops != from->calls)
        sim_fail("side %d: of %llu messages %u arrived and %llu were dropped", (int)(from - world.sides),
                 (unsigned long long)from->calls, from->arrived, (unsigned long long)from->stats.drops);
}
