/* SPDX-License-Identifier: MIT
 *
 * ferry get: the verdict. All connections must have ended in order, with the size and the digest that were asked for, or
 * at least all with the same. Then the output file gets its name, and the summary is printed.
 */
#include "get.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Failures told one by one; of more than so many the number must do. */
enum { MOST_TOLD = 5 };

struct summary {
    unsigned done;
    unsigned failed;
    uint64_t bytes;
    uint64_t ended;                 /* when the last one did */
    const struct download *first;   /* the first that is done; the others are held against it */
    const struct download *slowest; /* of those that are done */
    const struct download *fastest;
};

static unsigned number(const struct get *get, const struct download *download)
{
    return (unsigned)(download - get->downloads) + 1;
}

static double seconds(uint64_t from, uint64_t to)
{
    return to > from ? (double)(to - from) / 1e9 : 1e-9;
}

static double rate(const struct download *download)
{
    return (double)download->received / seconds(download->opened, download->ended);
}

static void judge_size(struct get *get, struct download *download, const struct download *first)
{
    if (get->limit != SIZE_UNKNOWN && download->received != get->limit)
        download_fail(download, "ended after %" PRIu64 " of %" PRIu64 " bytes", download->received, get->limit);
    else if (first != NULL && download->received != first->received)
        download_fail(download, "ended after %" PRIu64 " bytes, where connection %u got %" PRIu64, download->received,
                      number(get, first), first->received);
}

static void judge_digest(struct get *get, struct download *download, const struct download *first)
{
    if (download->digest == NULL || download->outcome != OUTCOME_COMPLETE)
        return;
    if (get->options.sha256 != NULL && strcasecmp(download->hex, get->options.sha256) != 0)
        download_fail(download, "wrong bytes: their SHA-256 is %s", download->hex);
    else if (first != NULL && strcmp(download->hex, first->hex) != 0)
        download_fail(download, "other bytes than connection %u got", number(get, first));
}

static void judge(struct get *get)
{
    const struct download *first = NULL;
    for (unsigned i = 0; i < get->options.connections; i++) {
        struct download *download = &get->downloads[i];
        if (download->outcome != OUTCOME_COMPLETE)
            continue;
        if (get->options.abort_after > 0)
            download_fail(download, "ended after %" PRIu64 " bytes, before it was to be aborted", download->received);
        judge_size(get, download, first);
        judge_digest(get, download, first);
        if (first == NULL && download->outcome == OUTCOME_COMPLETE)
            first = download;
    }
}

static void add(struct summary *summary, const struct download *download)
{
    summary->bytes += download->received;
    if (download->ended > summary->ended)
        summary->ended = download->ended;
    if (download->outcome == OUTCOME_FAILED) {
        summary->failed++;
        return;
    }
    summary->done++;
    if (summary->first == NULL)
        summary->first = download;
    if (summary->slowest == NULL || rate(download) < rate(summary->slowest))
        summary->slowest = download;
    if (summary->fastest == NULL || rate(download) > rate(summary->fastest))
        summary->fastest = download;
}

static void tell_failures(const struct get *get, unsigned failed)
{
    unsigned told = 0;
    for (unsigned i = 0; i < get->options.connections && told < MOST_TOLD; i++) {
        const struct download *download = &get->downloads[i];
        if (download->outcome != OUTCOME_FAILED)
            continue;
        if (get->options.connections == 1)
            complain("get", "%s: %s", get->address, download->why);
        else
            complain("get", "%s: connection %u: %s", get->address, i + 1, download->why);
        told++;
    }
    if (failed > told)
        complain("get", "and %u more failed", failed - told);
}

static void print_rate(const struct get *get, const char *label, const struct download *download)
{
    char text[UNIT_TEXT];
    if (download != NULL)
        printf("%-12s %s/s (connection %u)\n", label, print_size(text, rate(download)), number(get, download));
}

static void print_checks(const struct get *get, const struct summary *summary)
{
    if (summary->failed > 0 || summary->first == NULL || summary->first->outcome == OUTCOME_ABORTED)
        return;
    if (get->hashing)
        printf("sha256       %s\n", summary->first->hex);
    else if (!digest_available())
        puts("sha256       not computed: built without libcrypto");
    if (get->reference.file != NULL)
        printf("compared     equal to %s, byte by byte\n", get->options.compare);
}

static void print_summary(const struct get *get, const struct summary *summary)
{
    char text[UNIT_TEXT];
    double time = seconds(get->started, summary->ended);
    printf("connections  %u %s, %u failed\n", summary->done, get->options.abort_after > 0 ? "aborted as asked" : "done",
           summary->failed);
    printf("bytes        %" PRIu64 " (%s)\n", summary->bytes, print_size(text, (double)summary->bytes));
    printf("time         %.3f s\n", time);
    printf("rate         %.3f GiB/s\n", (double)summary->bytes / time / (1U << 30));
    print_rate(get, "slowest", summary->slowest);
    print_rate(get, "fastest", summary->fastest);
    print_checks(get, summary);
}

int report(struct get *get)
{
    struct summary summary = {0};
    judge(get);
    for (unsigned i = 0; i < get->options.connections; i++)
        add(&summary, &get->downloads[i]);
    tell_failures(get, summary.failed);
    int error = output_close(&get->output, summary.failed == 0);
    if (error != 0)
        complain("get", "cannot write %s: %s", get->options.output, strerror(-error));
    if (!get->options.quiet)
        print_summary(get, &summary);
    return summary.failed == 0 && error == 0 ? STATUS_DONE : STATUS_FAILED;
}
