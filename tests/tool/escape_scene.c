/* SPDX-License-Identifier: MIT
 *
 * A scene to escape from, and children that try to.
 */
#include "case.h"
#include "confine.h"
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_CONFINED = 254, SKIPPED_A_STEP = 253 }; /* statuses of a child; errnos are smaller */

static struct scene scene;
static struct fy_ring ring;

/* A file with a byte in it; the name is below the scene's folder. */
static int make_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", scene.top, name);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    return fd;
}

static int make_folder(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", scene.top, name);
    assert_int_equal(mkdir(path, 0700), 0);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void make_files(void)
{
    (void)snprintf(scene.top, sizeof scene.top, "ferry-test-XXXXXX");
    assert_non_null(mkdtemp(scene.top));
    scene.folder = make_folder("folder");
    scene.run = make_folder("run");
    assert_int_equal(mkdirat(scene.folder, "sub", 0700), 0);
    assert_int_equal(symlinkat("../outside", scene.folder, "link"), 0);
    close(make_file("outside"));
    close(make_file("run/socket"));
    scene.file = make_file("folder/file");
    (void)snprintf(scene.socket, sizeof scene.socket, "%s/run/socket", scene.top);
}

static void make_sockets(void)
{
    socklen_t len = sizeof scene.address;
    scene.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    scene.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene.listener, (struct sockaddr *)&scene.address, len), 0);
    assert_int_equal(listen(scene.listener, 1), 0);
    assert_int_equal(getsockname(scene.listener, (struct sockaddr *)&scene.address, &len), 0);
    scene.unused = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(scene.unused >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, scene.stream), 0);
}

const struct scene *scene_begin(bool open)
{
    scene = (struct scene){.open = open, .parent = getpid(), .ring = &ring};
    make_files();
    make_sockets();
    scene.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(scene.page != MAP_FAILED);
    return &scene;
}

void scene_end(void)
{
    static const char *const names[] = {"folder/file", "folder/link", "run/socket", "outside"};
    static const char *const folders[] = {"folder/sub", "folder", "run", ""};
    const int fds[] = {scene.folder, scene.run,       scene.file,     scene.listener,
                       scene.unused, scene.stream[0], scene.stream[1]};
    char path[128];
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close(fds[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", scene.top, names[i]);
        unlink(path);
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", scene.top, folders[i]);
        assert_int_equal(rmdir(path), 0); /* nothing else has been made in there */
    }
    munmap(scene.page, 4096);
}

static int by_ring(const long *arguments)
{
    struct io_uring_sqe *sqe = fy_ring_entry(&ring);
    if (sqe == NULL)
        return SKIPPED_A_STEP;
    sqe->opcode = (uint8_t)arguments[0];
    sqe->fd = (int)arguments[1];
    sqe->addr = (uint64_t)arguments[2];
    sqe->len = (uint32_t)arguments[3];
    sqe->off = (uint64_t)arguments[4];
    if (fy_sys_ring_enter(&ring, -1) != 0 || fy_ring_ready(&ring) != 1)
        return SKIPPED_A_STEP;
    int result = fy_ring_completion(&ring, 0)->res;
    return result < 0 ? -result : 0;
}

static void *look_confined(void *error)
{
    *(int *)error = open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && socket(AF_INET, SOCK_STREAM, 0) < 0 ? 0
                                                                                                         : NOT_CONFINED;
    return NULL;
}

static int by_thread(void)
{
    pthread_t thread;
    int error = 0;
    if (pthread_create(&thread, NULL, look_confined, &error) != 0)
        return SKIPPED_A_STEP;
    pthread_join(thread, NULL);
    return error;
}

static int escape(const struct escape *row)
{
    const long *a = row->arguments;
    if (row->call == ESCAPE_THREAD)
        return by_thread();
    if (row->call == ESCAPE_RING)
        return by_ring(a);
    return syscall(row->call, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0 ? 0 : errno;
}

/* The ring belongs to who starts it, so each child has its own. */
static void try_it(const struct escape *row)
{
    const struct confinement keep = {
        .reads = scene.open ? scene.folder : -1,
        .removes = scene.open ? scene.run : -1,
        .ring = scene.open,
    };
    if (fy_sys_ring_open(&ring, 4, 4) != 0 || fy_sys_ring_start(&ring) != 0)
        _exit(SKIPPED_A_STEP);
    const struct confined confined = confine(&keep);
    if (confined.landlock <= 0 || confined.seccomp != 0)
        _exit(NOT_CONFINED);
    _exit(escape(row));
}

void escape_all(const struct scene *s, const struct escape *rows, size_t count)
{
    (void)s;
    for (size_t i = 0; i < count; i++) {
        int status = 0;
        case_row("%s", rows[i].what);
        pid_t child = fork();
        if (child == 0)
            try_it(&rows[i]);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (rows[i].error == ESCAPE_KILLED)
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        else
            assert_true(WIFEXITED(status));
        if (WIFEXITED(status))
            assert_int_equal(WEXITSTATUS(status), rows[i].error);
    }
}
