/* SPDX-License-Identifier: MIT
 *
 * The runner. Each case goes through cmocka, which prints what failed; CMOCKA_TEST_ABORT makes a failing assert abort,
 * since it may fail on a loop's thread, where cmocka's longjmp would end in a foreign stack.
 */
#include "case.h"

#include <dirent.h>
#include <ferry/error.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char row[256]; /* written by case_row(), read when the process is about to end */
static const char *current = "";
static bool finished; /* the case ran to its end: cmocka's word is not taken for it */

void case_row(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(row, sizeof row, format, args);
    va_end(args);
}

void assert_reason(int reason, int expected)
{
    if (reason != expected) {
        char found[128];
        (void)snprintf(found, sizeof found, "%s", ferry_strerror(reason));
        fail_msg("reason %d (%s), expected %d (%s)", reason, found, expected, ferry_strerror(expected));
    }
}

/* FERRY_TEST_SLOW is how many times slower than usual this run is expected to be; 1 when it is not set. */
static unsigned slowness(void)
{
    const char *text = getenv("FERRY_TEST_SLOW");
    unsigned long factor = text != NULL ? strtoul(text, NULL, 10) : 1;
    return factor >= 1 && factor <= 1000 ? (unsigned)factor : 1;
}

size_t scale(size_t n)
{
    size_t scaled = n / slowness();
    return scaled > 0 ? scaled : 1;
}

unsigned case_patience_ms(void)
{
    return 30000 * (slowness() > 1 ? 4U : 1U);
}

int case_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    int count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count - 1; /* the folder's own */
}

size_t case_resident(void)
{
    char line[100];
    char *second;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fclose(file), 0);
    (void)strtoull(line, &second, 10); /* the first is what is mapped */
    return strtoull(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static void print_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        char link[64];
        char target[256];
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, target, sizeof target - 1);
        if (len >= 0)
            print_error("  descriptor %d: %.*s\n", fd, (int)len, target);
    }
}

static void run_case(void **state)
{
    const struct test_case *test = *state;
    current = test->name;
    case_row("-");
    int before = case_descriptors();
    test->run();
    int after = case_descriptors();
    if (after != before)
        print_descriptors();
    assert_int_equal(after, before);
    finished = true;
}

static int run_one(const struct test_case *test)
{
    const struct CMUnitTest units[] = {{.name = test->name, .test_func = run_case, .initial_state = (void *)test}};
    finished = false;
    int failed = cmocka_run_group_tests_name(test->name, units, NULL, NULL);
    return failed == 0 && finished ? 0 : 1;
}

static int run_all(void)
{
    int failed = 0;
    for (const struct test_case *test = test_cases; test->name != NULL; test++)
        failed |= run_one(test);
    return failed;
}

static int run_named(const char *name)
{
    for (const struct test_case *test = test_cases; test->name != NULL; test++)
        if (strcmp(test->name, name) == 0)
            return run_one(test);
    (void)fprintf(stderr, "no case is named '%s'; --list prints the names\n", name);
    return 2;
}

static int list(void)
{
    for (const struct test_case *test = test_cases; test->name != NULL; test++)
        (void)puts(test->name);
    return 0;
}

/* write(2) only: this runs in a signal handler. */
static void tell_row(int signal_number)
{
    static const char words[] = "\nfailed in: ";
    (void)!write(STDERR_FILENO, words, sizeof words - 1);
    (void)!write(STDERR_FILENO, current, strlen(current));
    (void)!write(STDERR_FILENO, ", row ", 6);
    (void)!write(STDERR_FILENO, row, strlen(row));
    (void)!write(STDERR_FILENO, "\n", 1);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0)
        return list();
    if (argc > 2) {
        (void)fprintf(stderr, "usage: %s [--list | NAME]\n", argv[0]);
        return 2;
    }
    (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    (void)signal(SIGABRT, tell_row);
    return argc == 2 ? run_named(argv[1]) : run_all();
}
