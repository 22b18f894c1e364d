/* SPDX-License-Identifier: MIT
 *
 * bench: what the benchmarks share.
 */
#include "bench.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void bench_pin(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        die("bench: sched_setaffinity");
}

int bench_count(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    return *text == '\0' || *end != '\0' || value < 1 || value > INT_MAX ? 0 : (int)value;
}

/* The first line that a program prints, "listening on 127.0.0.1:PORT", as its port; 0 = it is another. */
static int read_port(FILE *in)
{
    static const char said[] = "listening on 127.0.0.1:";
    char line[128];
    if (!fgets(line, sizeof line, in) || strncmp(line, said, strlen(said)) != 0)
        return 0;
    line[strcspn(line, "\n")] = '\0';
    return bench_count(line + strlen(said));
}

pid_t bench_start(char *const argv[], int core, int *port)
{
    int out[2];
    if (pipe(out) != 0)
        die("bench: pipe");
    pid_t pid = fork();
    if (pid == 0) {
        bench_pin(core);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execv(argv[0], argv);
        die(argv[0]);
    }
    close(out[1]);
    FILE *in = fdopen(out[0], "r");
    *port = pid > 0 && in ? read_port(in) : 0;
    if (*port == 0) {
        fprintf(stderr, "bench: %s did not say where it listens\n", argv[0]);
        exit(1);
    }
    fclose(in);
    return pid;
}

void bench_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

long bench_rss(pid_t pid)
{
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *in = fopen(path, "r");
    if (!in || !fgets(line, sizeof line, in))
        die(path);
    fclose(in);
    return strtol(line + strcspn(line, " "), NULL, 10) * sysconf(_SC_PAGESIZE); /* the second number: resident pages */
}

double bench_cpu(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        die("bench: the CPU clock of the server");
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int bench_connect(int port)
{
    static const int one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        die("bench: socket");
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("bench: connect");
    return fd;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
