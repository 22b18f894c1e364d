/* SPDX-License-Identifier: MIT
 *
 * Opening files: what is taken, what is refused and why, who closes what.
 */
#include "case.h"
#include "temp.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <ferry/ferry.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void assert_refused(const char *path, int expected)
{
    int before = case_descriptors();
    case_row("%s", path);
    errno = 0;
    assert_null(ferry_file_open(path));
    assert_int_equal(errno, expected);
    assert_int_equal(case_descriptors(), before);
}

static void folders_and_missing_files_are_refused(void)
{
    assert_refused(".", EISDIR);
    assert_refused("/", EISDIR);
    assert_refused("there-is-no-such-file", ENOENT);
    assert_refused("", ENOENT);
    assert_refused("/dev/null/below", ENOTDIR);
}

/* A FIFO without a writer: opening it must not wait for one either. */
static void fifos_are_refused_at_once(void)
{
    char path[64];
    temp_name(path, sizeof path, "");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(path, EINVAL);
    assert_int_equal(unlink(path), 0);
}

static void sockets_are_refused(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    temp_name(name.sun_path, sizeof name.sun_path, "");
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    errno = 0;
    assert_null(ferry_file_open(name.sun_path));
    assert_true(errno == EINVAL || errno == ENXIO); /* ENXIO is open(2)'s own */
    errno = 0;
    assert_null(ferry_file_from_fd(fd));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(name.sun_path), 0);
}

static void devices_are_refused(void)
{
    assert_refused("/dev/null", EINVAL);
    assert_refused("/dev/zero", EINVAL);
}

/* Root reads everything, so the case gives its privileges up for a moment. */
static void unreadable_files_are_refused(void)
{
    struct temp temp;
    uid_t user = geteuid();
    temp_fill(&temp, 1, 10);
    assert_int_equal(fchmod(temp.fd, 0), 0);
    if (user == 0)
        assert_int_equal(seteuid(65534), 0);
    errno = 0;
    ferry_file *file = ferry_file_open(temp.path);
    int reason = errno;
    if (user == 0)
        assert_int_equal(seteuid(user), 0);
    assert_null(file);
    assert_int_equal(reason, EACCES);
    temp_remove(&temp);
}

static void bad_descriptors_are_refused_and_stay_the_callers(void)
{
    int ends[2];
    static const int closed[] = {-1, 1 << 20};
    for (size_t i = 0; i < 2; i++) {
        errno = 0;
        assert_null(ferry_file_from_fd(closed[i]));
        assert_int_equal(errno, EBADF);
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    errno = 0;
    assert_null(ferry_file_from_fd(ends[0]));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
    int folder = open(".", O_RDONLY | O_CLOEXEC);
    errno = 0;
    assert_null(ferry_file_from_fd(folder));
    assert_int_equal(errno, EISDIR);
    assert_int_equal(close(folder), 0);
}

/* Opened for writing alone, it cannot be sent. */
static void a_descriptor_not_open_for_reading_is_refused(void)
{
    struct temp temp;
    temp_fill(&temp, 1, 10);
    int fd = open(temp.path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    errno = 0;
    assert_null(ferry_file_from_fd(fd));
    assert_int_equal(errno, EBADF);
    assert_int_equal(close(fd), 0);
    temp_remove(&temp);
}

static void the_last_reference_closes_it(void)
{
    struct temp temp;
    temp_fill(&temp, 5, 1000);
    int before = case_descriptors();
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    assert_int_equal(case_descriptors(), before + 1);
    assert_int_equal(ferry_file_size(file), 1000);
    assert_true(fcntl(ferry_file_fd(file), F_GETFD) & FD_CLOEXEC);
    assert_ptr_equal(ferry_file_ref(file), file);
    ferry_file_unref(file);
    assert_int_equal(case_descriptors(), before + 1);
    ferry_file_unref(file);
    assert_int_equal(case_descriptors(), before);
    ferry_file_unref(NULL);
    temp_remove(&temp);
}

static void a_descriptor_given_is_closed_with_it(void)
{
    struct temp temp;
    temp_fill(&temp, 5, 1000);
    int before = case_descriptors();
    int fd = open(temp.path, O_RDONLY | O_CLOEXEC);
    ferry_file *file = ferry_file_from_fd(fd);
    assert_non_null(file);
    assert_int_equal(ferry_file_fd(file), fd);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    ferry_file_unref(file);
    assert_int_equal(case_descriptors(), before);
    temp_remove(&temp);
}

static void an_empty_file_is_a_file(void)
{
    struct temp temp;
    temp_init(&temp);
    ferry_file *file = ferry_file_open(temp.path);
    assert_non_null(file);
    assert_int_equal(ferry_file_size(file), 0);
    ferry_file_unref(file);
    temp_remove(&temp);
}

const struct test_case test_cases[] = {
    {"folders_and_missing_files_are_refused", folders_and_missing_files_are_refused},
    {"fifos_are_refused_at_once", fifos_are_refused_at_once},
    {"sockets_are_refused", sockets_are_refused},
    {"devices_are_refused", devices_are_refused},
    {"unreadable_files_are_refused", unreadable_files_are_refused},
    {"bad_descriptors_are_refused_and_stay_the_callers", bad_descriptors_are_refused_and_stay_the_callers},
    {"a_descriptor_not_open_for_reading_is_refused", a_descriptor_not_open_for_reading_is_refused},
    {"the_last_reference_closes_it", the_last_reference_closes_it},
    {"a_descriptor_given_is_closed_with_it", a_descriptor_given_is_closed_with_it},
    {"an_empty_file_is_a_file", an_empty_file_is_a_file},
    {NULL, NULL},
};
