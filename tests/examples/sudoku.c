/* SPDX-License-Identifier: MIT
 *
 * The sudoku solver: its answers are judged by the rules of the game.
 */
#include "sudoku.h"

#include "case.h"
#include "sudoku_boards.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef char board[SUDOKU_CELLS];

static void assert_same_boards(const board a, const board b)
{
    assert_memory_equal(a, b, SUDOKU_CELLS);
}

/* Each row, column and box has each digit, and what was given is still there. */
static void assert_solves(const board answer, const char *puzzle)
{
    for (int unit = 0; unit < 9; unit++) {
        unsigned row = 0, column = 0, box = 0;
        for (int i = 0; i < 9; i++) {
            row |= 1U << (answer[unit * 9 + i] - '0');
            column |= 1U << (answer[i * 9 + unit] - '0');
            box |= 1U << (answer[(unit / 3 * 3 + i / 3) * 9 + unit % 3 * 3 + i % 3] - '0');
        }
        assert_int_equal(row, 0x3fe);
        assert_int_equal(column, 0x3fe);
        assert_int_equal(box, 0x3fe);
    }
    for (int cell = 0; cell < SUDOKU_CELLS; cell++) {
        if (puzzle[cell] != '0')
            assert_int_equal(answer[cell], puzzle[cell]);
    }
}

static void assert_unsolvable(const board puzzle)
{
    board answer, before;
    memset(answer, '?', sizeof answer);
    memset(before, '?', sizeof before);
    assert_false(sudoku_solve(puzzle, answer));
    assert_same_boards(answer, before);
}

static void boards_are_solved(void)
{
    board answer;
    for (size_t i = 0; i < UNIQUE; i++) {
        case_row("%s", unique_boards[i]);
        assert_int_equal(strlen(unique_boards[i]), SUDOKU_CELLS);
        assert_true(sudoku_solve(unique_boards[i], answer));
        assert_solves(answer, unique_boards[i]);
    }
}

/* With another digit in any of its empty cells a board that has one solution has none. */
static void nothing_else_is_a_solution(void)
{
    size_t step = SUDOKU_CELLS / scale(SUDOKU_CELLS);
    board answer, puzzle, again;
    for (size_t i = 0; i < UNIQUE; i++) {
        case_row("%s", unique_boards[i]);
        memcpy(puzzle, unique_boards[i], sizeof puzzle);
        assert_true(sudoku_solve(puzzle, answer));
        for (size_t cell = 0; cell < SUDOKU_CELLS; cell += step) {
            if (puzzle[cell] != '0')
                continue;
            for (puzzle[cell] = '1'; puzzle[cell] <= '9'; puzzle[cell]++) {
                if (puzzle[cell] != answer[cell])
                    assert_unsolvable(puzzle);
            }
            puzzle[cell] = answer[cell];
            assert_true(sudoku_solve(puzzle, again));
            assert_same_boards(again, answer);
            puzzle[cell] = '0';
        }
    }
}

static void boards_without_a_solution_are_refused(void)
{
    for (size_t i = 0; i < UNSOLVABLE; i++) {
        case_row("%s", unsolvable_boards[i]);
        assert_int_equal(strlen(unsolvable_boards[i]), SUDOKU_CELLS);
        assert_unsolvable(unsolvable_boards[i]);
    }
}

static void of_several_solutions_it_is_always_the_same(void)
{
    board first, again;
    for (size_t i = 0; i < AMBIGUOUS; i++) {
        case_row("%s", ambiguous_boards[i]);
        assert_int_equal(strlen(ambiguous_boards[i]), SUDOKU_CELLS);
        assert_true(sudoku_solve(ambiguous_boards[i], first));
        assert_solves(first, ambiguous_boards[i]);
        assert_true(sudoku_solve(ambiguous_boards[i], again));
        assert_same_boards(first, again);
    }
}

static void what_is_no_digit_has_no_solution(void)
{
    static const char strange[] = {'.', ' ', 'x', '/', ':', '\0', '\n', (char)0xb1};
    board puzzle;
    for (size_t i = 0; i < sizeof strange; i++) {
        case_row("character %d", strange[i]);
        for (size_t cell = 0; cell < SUDOKU_CELLS; cell += 40) {
            memset(puzzle, '0', sizeof puzzle);
            puzzle[cell] = strange[i];
            assert_unsolvable(puzzle);
        }
    }
}

/* The same puzzle in other clothes: rows change places in their band, columns too, digits are renamed, it is turned over. */
typedef struct disguise {
    int rows[9], columns[9];
    char digits[10];
    bool turned;
} disguise;

static void shuffle(int *places, unsigned *seed)
{
    for (int i = 0; i < 9; i++)
        places[i] = i;
    for (int i = 0; i < 9; i++) {
        int other = i / 3 * 3 + rand_r(seed) % 3;
        int place = places[i];
        places[i] = places[other];
        places[other] = place;
    }
}

static disguise make_disguise(unsigned seed)
{
    disguise d = {.digits = "0123456789", .turned = seed & 1};
    shuffle(d.rows, &seed);
    shuffle(d.columns, &seed);
    for (int i = 9; i > 1; i--) {
        int other = 1 + rand_r(&seed) % i;
        char digit = d.digits[i];
        d.digits[i] = d.digits[other];
        d.digits[other] = digit;
    }
    return d;
}

static void wear(const disguise *d, const char *from, board to)
{
    for (int row = 0; row < 9; row++) {
        for (int column = 0; column < 9; column++) {
            int there = d->turned ? column * 9 + row : row * 9 + column;
            to[there] = d->digits[from[d->rows[row] * 9 + d->columns[column]] - '0'];
        }
    }
}

static void a_disguise_changes_nothing(void)
{
    board answer, puzzle, expected, found;
    for (size_t i = 0; i < UNIQUE; i++) {
        assert_true(sudoku_solve(unique_boards[i], answer));
        for (unsigned seed = 0; seed < scale(200); seed++) {
            disguise d = make_disguise(seed);
            case_row("%s, seed %u", unique_boards[i], seed);
            wear(&d, unique_boards[i], puzzle);
            wear(&d, answer, expected);
            assert_true(sudoku_solve(puzzle, found));
            assert_same_boards(found, expected);
        }
    }
}

static void *solve_all(void *arg)
{
    board *answers = arg;
    for (size_t i = 0; i < UNIQUE; i++)
        assert_true(sudoku_solve(unique_boards[i], answers[i]));
    return NULL;
}

/* Also the first time, when it makes its tables. */
static void threads_do_not_meet(void)
{
    enum { THREADS = 4 };
    static board answers[THREADS][UNIQUE];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, solve_all, answers[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        for (size_t k = 0; k < UNIQUE; k++)
            assert_solves(answers[i][k], unique_boards[k]);
    }
}

const struct test_case test_cases[] = {
    {"boards_are_solved", boards_are_solved},
    {"nothing_else_is_a_solution", nothing_else_is_a_solution},
    {"boards_without_a_solution_are_refused", boards_without_a_solution_are_refused},
    {"of_several_solutions_it_is_always_the_same", of_several_solutions_it_is_always_the_same},
    {"what_is_no_digit_has_no_solution", what_is_no_digit_has_no_solution},
    {"a_disguise_changes_nothing", a_disguise_changes_nothing},
    {"threads_do_not_meet", threads_do_not_meet},
    {NULL, NULL},
};
