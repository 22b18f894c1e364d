/* SPDX-License-Identifier: MIT
 *
 * ferry get: how far it is. On a terminal a bar that is drawn over and over; elsewhere a plain line now and then.
 */
#include "get.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TERMINAL_MS = 200, PLAIN_MS = 2000, LINE = 512, NARROWEST_BAR = 8, WIDEST_BAR = 40 };

/* What there is to say at one moment. */
struct picture {
    double bytes;
    double total; /* 0 = not known */
    double rate;
    unsigned ended;
    unsigned connections;
};

static bool is_terminal(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDERR_FILENO) && kind != NULL && strcmp(kind, "dumb") != 0;
}

static unsigned terminal_width(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

static uint64_t count_bytes(const struct get *get, unsigned *ended)
{
    uint64_t bytes = 0;
    *ended = 0;
    for (unsigned i = 0; i < get->options.connections; i++) {
        bytes += atomic_load_explicit(&get->downloads[i].received, memory_order_relaxed);
        *ended += atomic_load_explicit(&get->downloads[i].outcome, memory_order_relaxed) != OUTCOME_NONE;
    }
    return bytes;
}

/* The rate is smoothed over a few looks, so that the time left does not jump. */
static struct picture look(struct progress *progress)
{
    struct get *get = progress->get;
    struct picture picture = {.connections = get->options.connections};
    uint64_t bytes = count_bytes(get, &picture.ended);
    uint64_t now = now_ns();
    double rate = (double)(bytes - progress->bytes) * 1e9 / (double)(now - progress->looked);
    progress->rate = progress->rate > 0 ? 0.7 * progress->rate + 0.3 * rate : rate;
    progress->bytes = bytes;
    progress->looked = now;
    uint64_t each = get->options.abort_after > 0 ? get->options.abort_after : atomic_load(&get->size);
    picture.bytes = (double)bytes;
    picture.total = each != SIZE_UNKNOWN ? (double)each * picture.connections : 0;
    picture.rate = progress->rate;
    return picture;
}

/* "7.2 GiB of 16.0 GiB, 1.3 GiB/s, 3 of 16 ended, 0:07 left" */
static void describe(const struct picture *picture, char line[LINE])
{
    char bytes[UNIT_TEXT], total[UNIT_TEXT], rate[UNIT_TEXT], left[UNIT_TEXT];
    print_size(bytes, picture->bytes);
    print_size(total, picture->total);
    print_size(rate, picture->rate);
    int len = snprintf(line, LINE, "%s%s%s, %s/s, %u of %u ended", bytes, picture->total > 0 ? " of " : "",
                       picture->total > 0 ? total : "", rate, picture->ended, picture->connections);
    if (picture->total > picture->bytes && picture->rate > 0) {
        print_duration(left, (picture->total - picture->bytes) / picture->rate);
        snprintf(line + len, LINE - (size_t)len, ", %s left", left);
    }
}

static double share(const struct picture *picture)
{
    return picture->bytes < picture->total ? picture->bytes / picture->total : 1;
}

/* " 45% [=======>        ] " before the description, where there is room for it. */
static void draw_bar(const struct picture *picture, const char *text)
{
    enum { AROUND = 10 }; /* all of it but the bar itself, and the last column, which makes some terminals scroll */
    char bar[WIDEST_BAR + 1];
    unsigned width = terminal_width();
    size_t used = strlen(text) + AROUND;
    size_t room = used < width ? width - used : 0;
    size_t length = room < WIDEST_BAR ? room : WIDEST_BAR;
    if (picture->total <= 0 || length < NARROWEST_BAR) {
        fprintf(stderr, "\r%.*s\033[K", (int)width - 1, text);
        return;
    }
    size_t filled = (size_t)((double)length * share(picture));
    memset(bar, ' ', length);
    memset(bar, '=', filled);
    if (filled < length)
        bar[filled] = '>';
    bar[length] = '\0';
    fprintf(stderr, "\r%3d%% [%s] %s\033[K", (int)(100 * share(picture)), bar, text);
}

static void show(const struct progress *progress, const struct picture *picture)
{
    char text[LINE];
    describe(picture, text);
    if (progress->terminal)
        draw_bar(picture, text);
    else if (picture->total > 0)
        complain("get", "%d%%, %s", (int)(100 * share(picture)), text);
    else
        complain("get", "%s", text);
}

static void tick(void *arg)
{
    struct progress *progress = arg;
    const struct picture picture = look(progress);
    show(progress, &picture);
}

void progress_begin(struct progress *progress, struct get *get)
{
    *progress = (struct progress){.get = get, .terminal = is_terminal(), .looked = now_ns()};
    if (!get->options.quiet)
        progress->timer = ferry_every(ferry_pool_loop(get->pool, 0), progress->terminal ? TERMINAL_MS : PLAIN_MS, tick,
                                      progress);
}

/* The bar stays as it was at the end, with the rate of the whole time. */
void progress_end(struct progress *progress)
{
    ferry_timer_cancel(progress->timer);
    if (progress->timer == NULL || !progress->terminal)
        return;
    struct picture picture = look(progress);
    picture.rate = picture.bytes * 1e9 / (double)(progress->looked - progress->get->started);
    show(progress, &picture);
    fputc('\n', stderr);
}
