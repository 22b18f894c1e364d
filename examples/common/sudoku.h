/* SPDX-License-Identifier: MIT
 *
 * Sudoku: 81 digits, a row after a row, 0 where a cell is empty; the answer has none.
 */
#ifndef SUDOKU_H
#define SUDOKU_H

#include <stdbool.h>

enum { SUDOKU_CELLS = 81 };

/* Fills the board. Of a puzzle with several solutions it gives the first it finds, always the same one. False when there
 * is none, or a character is no digit; `answer` is left alone then. It takes microseconds, a fraction of a millisecond for
 * the worst. Thread: any. */
bool sudoku_solve(const char puzzle[SUDOKU_CELLS], char answer[SUDOKU_CELLS]);

#endif
