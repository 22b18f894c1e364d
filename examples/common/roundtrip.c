/* SPDX-License-Identifier: MIT
 *
 * The sums of roundtrip.h. A round trip is measured by the monotonic clock, the difference of the clocks by those that
 * may be set.
 */
#include "roundtrip.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void roundtrip_init(struct roundtrip *trip, int argc, char **argv)
{
    *trip = (struct roundtrip){
        .client.patience_s = CLIENT_PATIENCE_S, .count = 10, .interval_ms = 200, .best_ns = UINT64_MAX};
    const example_flag own[] = {
        {"count", "N", "round trips, 0 = until a signal (default: 10)", &trip->count, 0, 1000000000, NULL},
        {"interval", "MS", "from an answer to the next question (default: 200)", &trip->interval_ms, 0, 3600000, NULL},
        {"patience", "SECONDS", "how long the server may say nothing (default: 30)", &trip->client.patience_s, 1, 3600,
         NULL},
        {0},
    };
    example_flags flags = example_parse(argc, argv, &(example_usage){.operand = "ADDRESS", .flags = own});
    client_init(&trip->client, &flags, trip->count > 0);
}

void roundtrip_ask(struct roundtrip *trip, unsigned char *message)
{
    trip->asked_ns = latency_now(); /* first: so the answer was made no later than the round trip says */
    trip->asked_us = clock_now_us();
    clock_message_ask(message, trip->asked_us);
}

static void count_trip(struct roundtrip *trip, uint64_t ns, int64_t error_us)
{
    latency_add(&trip->trips, ns);
    if (ns < trip->best_ns) {
        trip->best_ns = ns;
        trip->best_error_us = error_us;
    }
    client_say(&trip->client, "round trip %" PRIu64 " us, clock error %" PRId64 " us\n", ns / 1000, error_us);
}

bool roundtrip_take(struct roundtrip *trip, const unsigned char *message)
{
    uint64_t ns = latency_now() - trip->asked_ns;
    int64_t client_us, server_us;
    clock_message_read(message, &client_us, &server_us);
    if (trip->asked_ns == 0 || client_us != trip->asked_us) {
        client_fail(&trip->client, "the server answers what it was not asked");
        return false;
    }
    trip->asked_ns = 0;
    /* Unsigned, since the server may say anything. */
    uint64_t middle_us = (uint64_t)client_us + ns / 2000;
    count_trip(trip, ns, (int64_t)((uint64_t)server_us - middle_us));
    bool last = trip->trips.count == trip->count;
    if (last)
        client_done(&trip->client);
    return !last;
}

static bool is_done(const struct roundtrip *trip)
{
    return trip->trips.count > 0 && trip->trips.count == trip->count;
}

void roundtrip_end(struct roundtrip *trip)
{
    if (!is_done(trip))
        client_fail(&trip->client, "the server closed after %" PRIu64 " round trips", trip->trips.count);
}

void roundtrip_break(struct roundtrip *trip, int reason)
{
    bool was_open = trip->asked_us != 0;
    if (!was_open)
        client_fail_connect(&trip->client, reason);
    else if (reason < 0 && reason != -ECANCELED && !is_done(trip))
        client_fail(&trip->client, "the connection broke: %s", ferry_strerror(reason));
}

static int report(const struct roundtrip *trip)
{
    char line[LATENCY_LINE_MAX];
    latency_format(&trip->trips, line, sizeof line);
    printf("round trips: %s\n", line);
    printf("clock error of the fastest: %" PRId64 " us, give or take %" PRIu64 " us\n", trip->best_error_us,
           trip->best_ns / 2000 + 1);
    if (fflush(stdout) == 0)
        return EXIT_SUCCESS;
    warn("cannot write to stdout");
    return EXIT_FAILURE;
}

int roundtrip_run(struct roundtrip *trip)
{
    int status = client_run(&trip->client);
    /* Those that there were before it failed count as well. */
    if (trip->trips.count > 0 && report(trip) != EXIT_SUCCESS)
        status = EXIT_FAILURE;
    return status;
}
