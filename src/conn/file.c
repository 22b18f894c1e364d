/* SPDX-License-Identifier: MIT
 *
 * conn: files, and how a range of one leaves.
 *
 * sendfile(2) sleeps while the disk is read, and the whole loop with it. So a window of the range is first looked up in
 * the page cache; when part of it is missing, a worker reads it in, and the next window is asked for ahead, while the
 * loop serves others. What is evicted in between costs time, not correctness.
 */
#include "base/list.h"
#include "conn/conn.h"
#include "conn/transfer.h"
#include "loop/worker.h"
#include "sys/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WINDOW = 4 * 1024 * 1024, /* bytes looked up, or read ahead, at a time */
    SCRATCH = 256 * 1024,     /* bytes a worker reads at a time, to be thrown away */
};

struct ferry_file {
    atomic_uint refs;
    int fd;
    uint64_t size;
};

/* A window being read by a worker, for the connection that waits for it. */
struct fy_cold {
    struct fy_job job;
    ferry_conn *conn; /* a reference */
    ferry_file *file; /* a reference */
    uint64_t offset, end;
};

static int check_regular(int fd, uint64_t *size)
{
    struct stat st = {0};
    int error = fy_sys_readable(fd);
    if (error == 0)
        error = fy_sys_stat(fd, &st);
    if (error < 0)
        return error;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    *size = (uint64_t)st.st_size;
    return 0;
}

ferry_file *ferry_file_from_fd(int fd)
{
    uint64_t size = 0;
    int error = check_regular(fd, &size);
    ferry_file *file = error < 0 ? NULL : malloc(sizeof *file);
    if (!file) {
        errno = error < 0 ? -error : ENOMEM;
        return NULL;
    }
    atomic_init(&file->refs, 1);
    file->fd = fd;
    file->size = size;
    return file;
}

ferry_file *ferry_file_open(const char *path)
{
    int fd = fy_sys_open(path);
    if (fd < 0) {
        errno = fd == -ENXIO ? EINVAL : -fd; /* open(2): a Unix socket, a device without a driver */
        return NULL;
    }
    ferry_file *file = ferry_file_from_fd(fd);
    if (!file) {
        int error = errno;
        fy_sys_close(fd);
        errno = error;
    }
    return file;
}

ferry_file *ferry_file_ref(ferry_file *file)
{
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    return file;
}

void ferry_file_unref(ferry_file *file)
{
    if (!file || atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1)
        return;
    fy_sys_close(file->fd);
    free(file);
}

uint64_t ferry_file_size(const ferry_file *file)
{
    return file->size;
}

int ferry_file_fd(const ferry_file *file)
{
    return file->fd;
}

uint64_t fy_file_length(const ferry_file *file, uint64_t offset, uint64_t len)
{
    struct stat st;
    if (len != FERRY_TO_END)
        return len;
    uint64_t size = fy_sys_stat(file->fd, &st) < 0 ? file->size : (uint64_t)st.st_size;
    return size > offset ? size - offset : 0;
}

/* On a worker: reads the window, and asks for the next one without waiting for it. */
static void read_window(struct fy_job *job)
{
    struct fy_cold *cold = FY_CONTAINER(job, struct fy_cold, job);
    char *scratch = malloc(SCRATCH);
    fy_sys_readahead(cold->file->fd, cold->offset, (size_t)(cold->end - cold->offset) + WINDOW);
    ssize_t n = 1;
    for (uint64_t at = cold->offset; scratch && n > 0 && at < cold->end; at += (uint64_t)n)
        n = fy_sys_pread(cold->file->fd, scratch, SCRATCH, at); /* an error will come again from sendfile(2) */
    free(scratch);
}

/* Back on the loop. The range may have left the queue meanwhile, with its connection or without it. */
static void window_read(struct fy_task *task)
{
    struct fy_cold *cold = FY_CONTAINER(task, struct fy_cold, job.done);
    ferry_conn *c = cold->conn;
    fy_conn_enter(c);
    fy_lock(&c->out.lock);
    struct fy_segment *first = c->out.first;
    if (first && first->kind == FY_FILE && first->file.cold == cold) {
        first->file.cold = NULL;
        first->file.warm_until = cold->end;
    }
    fy_unlock(&c->out.lock);
    fy_outbox_writable(c);
    fy_conn_leave(c);
    ferry_file_unref(cold->file);
    free(cold);
    ferry_conn_unref(c);
}

static int read_ahead(ferry_conn *c, struct fy_segment *segment, uint64_t end)
{
    struct fy_cold *cold = calloc(1, sizeof *cold);
    if (!cold)
        return -ENOMEM;
    cold->job.work = read_window;
    cold->job.done.run = window_read;
    cold->job.loop = c->loop;
    cold->conn = ferry_conn_ref(c);
    cold->file = ferry_file_ref(segment->file.file);
    cold->offset = segment->file.offset;
    cold->end = end;
    segment->file.cold = cold;
    c->loop->counters.cold++;
    fy_workers_submit(c->loop->workers, &cold->job);
    return 0;
}

/* Whether the loop may send from here without sleeping; if not, sees to it. Without memory it may sleep. */
static bool warm(ferry_conn *c, struct fy_segment *segment)
{
    if (segment->file.cold)
        return false;
    uint64_t offset = segment->file.offset;
    if (offset < segment->file.warm_until)
        return true;
    uint64_t len = segment->left < WINDOW ? segment->left : WINDOW;
    if (!fy_sys_in_memory(segment->file.file->fd, offset, (size_t)len) && read_ahead(c, segment, offset + len) == 0)
        return false;
    segment->file.warm_until = offset + len;
    return true;
}

ssize_t fy_file_send(ferry_conn *c, struct fy_segment *segment, uint64_t most)
{
    if (segment->left == 0)
        return 0;
    if (segment->file.offset > INT64_MAX - WINDOW)
        return -ENODATA; /* no file is so long, and the end of a window would not fit into its type */
    if (!warm(c, segment))
        return -EAGAIN;
    uint64_t len = segment->file.warm_until - segment->file.offset;
    if (len > segment->left)
        len = segment->left;
    if (len > most)
        len = most;
    if (segment->file.transfer)
        len = fy_transfer_allowance(segment->file.transfer, len);
    if (len == 0)
        return -EAGAIN;
    ssize_t n = fy_sys_sendfile(c->source.fd, segment->file.file->fd, segment->file.offset, (size_t)len);
    return n == 0 || n == -EOVERFLOW ? -ENODATA : n; /* the latter: longer than its file system's files can be */
}
