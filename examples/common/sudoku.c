/* SPDX-License-Identifier: MIT
 *
 * Solves a sudoku. Each cell has the set of digits it may still be, a bit a digit; each unit (a row, column or box) must
 * have all nine. What follows is filled in: a cell with one digit left takes it from its 20 peers, a digit with one place
 * left in a unit goes there. Where nothing follows, one is tried of as few alternatives as there are: two digits of a cell,
 * or two places of a digit.
 *
 * A unit is looked at again only when it has lost something, which is what makes this several times faster than dancing
 * links: of the 49,151 known puzzles with 17 clues none takes a millisecond, and the usual one a few microseconds.
 */
#include "sudoku.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

enum { CELLS = SUDOKU_CELLS, DIGITS = 9, UNITS = 27, PEERS = 20, EVERY_DIGIT = (1 << DIGITS) - 1 };

typedef struct board {
    uint16_t may[CELLS]; /* what the cell may still be; one bit when that is known */
    uint32_t stale;      /* units in which something has changed, a bit each */
} board;

/* What is to be tried: so many alternatives, of which one must hold. None when all is known. */
typedef struct choice {
    int count;
    uint8_t cells[DIGITS];
    uint16_t digits[DIGITS];
} choice;

static uint8_t cells_of[UNITS][DIGITS], peers_of[CELLS][PEERS];
static uint32_t units_of[CELLS]; /* a bit a unit */
static pthread_once_t drawn = PTHREAD_ONCE_INIT;

static void draw_units(void)
{
    for (int unit = 0; unit < 9; unit++) {
        for (int i = 0; i < 9; i++) {
            cells_of[unit][i] = (uint8_t)(unit * 9 + i);
            cells_of[9 + unit][i] = (uint8_t)(i * 9 + unit);
            cells_of[18 + unit][i] = (uint8_t)((unit / 3 * 3 + i / 3) * 9 + unit % 3 * 3 + i % 3);
        }
    }
    for (int unit = 0; unit < UNITS; unit++) {
        for (int i = 0; i < 9; i++)
            units_of[cells_of[unit][i]] |= UINT32_C(1) << unit;
    }
    for (int cell = 0; cell < CELLS; cell++) {
        uint8_t *peer = peers_of[cell];
        for (int other = 0; other < CELLS; other++) {
            if (other != cell && (units_of[other] & units_of[cell]))
                *peer++ = (uint8_t)other;
        }
    }
}

static bool is_single(unsigned digits)
{
    return (digits & (digits - 1)) == 0;
}

/* One of them. */
static uint16_t lowest(unsigned digits)
{
    return (uint16_t)(digits & -digits);
}

/* Puts the digit there, and what follows for single cells. False when some cell is left without a digit. */
static bool put(board *b, int cell, unsigned digit)
{
    uint8_t known[CELLS]; /* cells that have become known, and whose peers are not told yet */
    int count = 0;
    if (!(b->may[cell] & digit))
        return false;
    b->may[cell] = (uint16_t)digit;
    b->stale |= units_of[cell];
    known[count++] = (uint8_t)cell;
    while (count > 0) {
        int told = known[--count];
        for (int i = 0; i < PEERS; i++) {
            int peer = peers_of[told][i];
            if (!(b->may[peer] & b->may[told]))
                continue;
            b->may[peer] &= (uint16_t)~b->may[told];
            b->stale |= units_of[peer];
            if (b->may[peer] == 0)
                return false;
            if (is_single(b->may[peer]))
                known[count++] = (uint8_t)peer;
        }
    }
    return true;
}

/* Puts each digit that has one place left in the unit. False when one has none, or two have the same. */
static bool put_singles(board *b, int unit)
{
    unsigned once = 0, again = 0;
    for (int i = 0; i < 9; i++) {
        unsigned may = b->may[cells_of[unit][i]];
        again |= once & may;
        once |= may;
    }
    if (once != EVERY_DIGIT)
        return false;
    for (int i = 0; i < 9 && once != again; i++) {
        int cell = cells_of[unit][i];
        unsigned here = b->may[cell] & once & ~again;
        if (here != 0 && here != b->may[cell] && !(is_single(here) && put(b, cell, here)))
            return false;
    }
    return true;
}

static bool settle(board *b)
{
    while (b->stale) {
        int unit = __builtin_ctz(b->stale);
        b->stale &= b->stale - 1;
        if (!put_singles(b, unit))
            return false;
    }
    return true;
}

/* The digits of a cell with as few as there are. */
static choice choose_cell(const board *b)
{
    choice best = {0};
    for (int cell = 0; cell < CELLS && best.count != 2; cell++) {
        unsigned may = b->may[cell];
        int count = is_single(may) ? 0 : __builtin_popcount(may);
        if (count == 0 || (best.count > 0 && count >= best.count))
            continue;
        best.count = 0;
        for (; may; may &= may - 1) {
            best.cells[best.count] = (uint8_t)cell;
            best.digits[best.count++] = lowest(may);
        }
    }
    return best;
}

/* The places of a digit that has two of them in some unit. */
static choice choose_places(const board *b)
{
    choice places = {0};
    unsigned twice = 0;
    int unit = -1;
    while (twice == 0 && ++unit < UNITS) {
        unsigned once = 0, more = 0;
        for (int i = 0; i < 9; i++) {
            unsigned may = b->may[cells_of[unit][i]];
            more |= twice & may;
            twice |= once & may;
            once |= may;
        }
        twice &= ~more;
    }
    for (int i = 0; i < 9 && twice; i++) {
        if (b->may[cells_of[unit][i]] & lowest(twice)) {
            places.cells[places.count] = cells_of[unit][i];
            places.digits[places.count++] = lowest(twice);
        }
    }
    return places;
}

static choice choose(const board *b)
{
    choice cell = choose_cell(b);
    if (cell.count <= 2)
        return cell;
    choice places = choose_places(b);
    return places.count > 0 ? places : cell;
}

/* Each level settles one cell at least, so it is never deeper than the board. */
static bool search(board *b)
{
    if (!settle(b))
        return false;
    choice c = choose(b);
    for (int i = 0; i < c.count; i++) {
        board tried = *b;
        if (put(&tried, c.cells[i], c.digits[i]) && search(&tried)) {
            *b = tried;
            return true;
        }
    }
    return c.count == 0;
}

static bool put_clues(board *b, const char *puzzle)
{
    for (int cell = 0; cell < CELLS; cell++) {
        if (puzzle[cell] < '0' || puzzle[cell] > '9')
            return false;
        if (puzzle[cell] != '0' && !put(b, cell, 1U << (puzzle[cell] - '1')))
            return false;
    }
    return true;
}

bool sudoku_solve(const char puzzle[SUDOKU_CELLS], char answer[SUDOKU_CELLS])
{
    board b = {.stale = (UINT32_C(1) << UNITS) - 1};
    pthread_once(&drawn, draw_units);
    for (int cell = 0; cell < CELLS; cell++)
        b.may[cell] = EVERY_DIGIT;
    if (!put_clues(&b, puzzle) || !search(&b))
        return false;
    for (int cell = 0; cell < CELLS; cell++)
        answer[cell] = (char)('1' + __builtin_ctz(b.may[cell]));
    return true;
}
