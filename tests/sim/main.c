/* SPDX-License-Identifier: MIT
 *
 * sim: runs seeds of the simulation, a process each, so that each begins from the same state and may crash.
 *
 *     sim --from FIRST --count N      these seeds; every hundredth twice, which must come out the same
 *     sim --steps N [--from FIRST]    as many seeds as it takes for so many steps
 *     sim --seconds N [--from FIRST]  or for so long
 *     sim --seed N [--trace]          one seed, in this process
 *     sim --seed N --shrink           the shortest program that still fails with that seed
 *     --only 3,7,9                    with --seed: no other operations of its program
 *     --all-states                    fails, unless each of the noteworthy states was reached
 */
#include "world.h"

#include "base/tools.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef FY_ASAN
#include <sanitizer/lsan_interface.h>
#endif

enum { TWICE = 100, PATIENCE_S = 120, MOST_FAILURES = 10 };

static const char *const state_names[SIM_STATES] = {
    [SIM_PREEMPTED] = "a thread lost its turn between two basic blocks",
    [SIM_LOCK_WAITED] = "a thread waited for a lock",
    [SIM_MUTEX_WAITED] = "a thread waited for a mutex",
    [SIM_SHORT_WRITE] = "a short write",
    [SIM_FULL] = "a full socket",
    [SIM_STARVED] = "no memory in the kernel",
    [SIM_FAKED_FULL] = "a shorter write than there was room for",
    [SIM_IDLE_EDGE] = "an edge without news",
    [SIM_WINDOW_SHUT] = "a shut window with bytes behind it",
    [SIM_FIN_UNREAD] = "a FIN with input still to be read",
    [SIM_RESET_WITH_QUEUE] = "a reset that costs queued bytes",
    [SIM_RESET_BEHIND_FIN] = "a reset behind a FIN",
    [SIM_UNREAD_AT_CLOSE] = "a socket closed with unread input",
    [SIM_ACCEPT_REFUSED] = "no descriptor to accept with",
    [SIM_CONNECT_REFUSED] = "a connect refused",
    [SIM_CONNECT_LOST] = "a connect without an answer",
    [SIM_COLD] = "a cold file",
    [SIM_FILE_SHORT] = "a file shorter than it was",
    [SIM_FD_REUSED] = "a descriptor's number used again",
    [SIM_RUNG] = "a loop woken by another thread",
    [SIM_EOF_WHOLE] = "a clean end, with all that was queued",
    [SIM_LEFTOVER] = "input left unconsumed",
    [SIM_HIGH] = "the high-water mark",
    [SIM_DRAINED] = "a drained outbox",
    [SIM_DROPPED] = "a message dropped over the limit",
    [SIM_LATE_SEND] = "a send after the end",
    [SIM_HELD_BACK] = "a coroutine held back in a send",
    [SIM_DEADLINE] = "a deadline that passed",
    [SIM_CANCELLED] = "a parked call cancelled",
    [SIM_GIVEN_UP] = "a transfer given up",
    [SIM_STOPPED_EARLY] = "a pool stopped under way",
    [SIM_CLOSED_BY_LIMIT] = "an end by max_pending",
    [SIM_CLOSED_BY_TIME] = "an end by time",
    [SIM_CLOSED_BY_RESET] = "an end by reset",
    [SIM_CLOSED_BY_ABORT] = "an end by abort",
    [SIM_CLOSED_IN_ORDER] = "an end in order",
};

static struct {
    uint64_t from, count, steps, seconds, seed;
    bool one, shrink, trace, all_states;
    const char *only;
} options = {.from = 1};

static struct sim_result *result;

/* The part of it that a process does for itself. */
static void run(uint64_t seed, const bool *dropped)
{
    program_plan(seed);
    for (unsigned i = 0; dropped && i < world.plan.ops; i++)
        ops[i].dropped = dropped[i];
    sim_begin(seed, result);
    program_run();
    result->over = true;
#ifdef FY_ASAN
    if (__lsan_do_recoverable_leak_check())
        sim_fail("memory is leaked");
#endif
}

/* Whether it passes; why not, is in the result. */
static bool run_apart(uint64_t seed, const bool *dropped)
{
    memset(result, 0, sizeof *result);
    pid_t child = fork();
    if (child < 0) {
        perror("sim: fork");
        exit(2);
    }
    if (child == 0) {
        alarm(PATIENCE_S);
        run(seed, dropped);
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (result->why[0] == '\0' && (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !result->over))
        snprintf(result->why, sizeof result->why, "it crashed (status %#x)", (unsigned)status);
    return result->why[0] == '\0';
}

static void print_failure(uint64_t seed)
{
    fprintf(stderr,
            "sim: seed %llu: %s\n    sim --seed %llu --trace shows how, sim --seed %llu --shrink how little it takes\n",
            (unsigned long long)seed, result->why, (unsigned long long)seed, (unsigned long long)seed);
}

/* Drops ever smaller runs of operations, as long as it fails without them. */
static int shrink(uint64_t seed)
{
    bool dropped[OPS] = {false};
    if (run_apart(seed, NULL)) {
        printf("seed %llu passes\n", (unsigned long long)seed);
        return 0;
    }
    program_plan(seed);
    for (unsigned size = world.plan.ops; size > 0; size /= 2)
        for (unsigned at = 0; at < world.plan.ops; at += size) {
            bool fewer[OPS];
            memcpy(fewer, dropped, sizeof fewer);
            for (unsigned i = at; i < at + size && i < world.plan.ops; i++)
                fewer[i] = true;
            if (memcmp(fewer, dropped, sizeof fewer) != 0 && !run_apart(seed, fewer))
                memcpy(dropped, fewer, sizeof fewer);
        }
    run_apart(seed, dropped);
    printf("seed %llu: %s\nsim --trace --seed %llu --only ", (unsigned long long)seed, result->why,
           (unsigned long long)seed);
    const char *comma = "";
    for (unsigned i = 0; i < world.plan.ops; i++)
        if (!dropped[i]) {
            printf("%s%u", comma, i);
            comma = ",";
        }
    printf("%s\n", *comma ? "" : "none");
    for (unsigned i = 0; i < world.plan.ops; i++)
        if (!dropped[i])
            op_print(&ops[i]);
    return 1;
}

static void read_only(bool *dropped)
{
    for (unsigned i = 0; i < OPS; i++)
        dropped[i] = true;
    for (const char *at = options.only; at && *at;) {
        char *end;
        unsigned long op = strtoul(at, &end, 10);
        if (end == at)
            break;
        if (op < OPS)
            dropped[op] = false;
        at = *end ? end + 1 : end;
    }
}

static int run_one(uint64_t seed)
{
    bool dropped[OPS];
    read_only(dropped);
    sim_traced = options.trace;
    run(seed, options.only ? dropped : NULL);
    printf("seed %llu: steps %llu, hash %016llx\n", (unsigned long long)seed, (unsigned long long)result->steps,
           (unsigned long long)result->hash);
    return 0;
}

static bool comes_out_the_same(uint64_t seed)
{
    uint64_t steps = result->steps, hash = result->hash;
    if (run_apart(seed, NULL) && result->hash == hash && result->steps == steps)
        return true;
    snprintf(result->why, sizeof result->why, "twice the same seed, and hash %016llx, then %016llx",
             (unsigned long long)hash, (unsigned long long)result->hash);
    return false;
}

static bool print_states(uint64_t reached)
{
    bool all = true;
    for (int i = 0; i < SIM_STATES; i++)
        if (!(reached >> i & 1)) {
            printf("not reached: %s\n", state_names[i]);
            all = false;
        }
    printf("states reached: %d of %d\n", __builtin_popcountll(reached), (int)SIM_STATES);
    return all;
}

static bool wants_more(uint64_t seeds, uint64_t steps, time_t began)
{
    if (options.count)
        return seeds < options.count;
    if (options.steps)
        return steps < options.steps;
    return time(NULL) - began < (time_t)options.seconds;
}

static int run_many(void)
{
    uint64_t seeds = 0, steps = 0, messages = 0, reached = 0, hash = 0, failed = 0;
    time_t began = time(NULL);
    for (uint64_t seed = options.from; wants_more(seeds, steps, began); seed++, seeds++) {
        bool passed = run_apart(seed, NULL);
        steps += result->steps;
        messages += result->messages;
        reached |= result->reached;
        hash = (hash ^ result->hash) * UINT64_C(1099511628211);
        if (!passed || (seed % TWICE == 0 && !comes_out_the_same(seed))) {
            print_failure(seed);
            if (++failed == MOST_FAILURES)
                break;
        }
    }
    printf("seeds %llu to %llu: %llu steps, %llu messages, %lld s, hash %016llx, failed %llu\n",
           (unsigned long long)options.from, (unsigned long long)(options.from + seeds - 1), (unsigned long long)steps,
           (unsigned long long)messages, (long long)(time(NULL) - began), (unsigned long long)hash,
           (unsigned long long)failed);
    bool all = print_states(reached);
    return failed > 0 || (options.all_states && !all);
}

static uint64_t number_of(const char *text)
{
    return strtoull(text, NULL, 10);
}

static void parse(int argc, char **argv)
{
    enum { FROM = 1, COUNT, STEPS, SECONDS, SEED, SHRINK, TRACE, ONLY, ALL_STATES };
    static const struct option known[] = {{"from", 1, NULL, FROM},
                                          {"count", 1, NULL, COUNT},
                                          {"steps", 1, NULL, STEPS},
                                          {"seconds", 1, NULL, SECONDS},
                                          {"seed", 1, NULL, SEED},
                                          {"shrink", 0, NULL, SHRINK},
                                          {"trace", 0, NULL, TRACE},
                                          {"only", 1, NULL, ONLY},
                                          {"all-states", 0, NULL, ALL_STATES},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        uint64_t *const numbers[] = {NULL,           &options.from,    &options.count,
                                     &options.steps, &options.seconds, &options.seed};
        if (option >= FROM && option <= SEED)
            *numbers[option] = number_of(optarg);
        options.one |= option == SEED;
        options.shrink |= option == SHRINK;
        options.trace |= option == TRACE;
        options.all_states |= option == ALL_STATES;
        if (option == ONLY)
            options.only = optarg;
        if (option == '?')
            exit(2);
    }
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    unsetenv("FERRY_BACKEND");
    result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED)
        return 2;
    if (options.one && options.shrink)
        return shrink(options.seed);
    return options.one ? run_one(options.seed) : run_many();
}
