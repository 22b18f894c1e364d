/* SPDX-License-Identifier: MIT
 *
 * What users of other libraries complain about: files. See docs/complaints.md.
 */
#include "case.h"
#include "host.h"
#include "peer.h"

#include <errno.h>

/* The size of a file in sysfs is a page, whatever is in it: who waits for the rest waits for ever.
 * https://github.com/civetweb/civetweb/issues/190. */
static void a_size_that_lies_is_told(void)
{
    static const ferry_service service;
    struct host host;
    ferry_stats stats;
    uint64_t total;
    ferry_file *file = ferry_file_open("/sys/devices/system/cpu/online");
    assert_non_null(file);
    uint64_t size = ferry_file_size(file);
    assert_true(size >= 4096);
    host_start(&host, &service);
    int fd = peer_connect(host.address);
    ferry_conn *conn = watch_conn(&host.watch, 0);
    ferry_send_file(conn, file, 0, FERRY_TO_END);
    ferry_close(conn);
    ferry_file_unref(file);
    assert_int_equal(peer_read_to_end(fd, NULL, &total), ECONNRESET);
    assert_true(total < size);
    assert_reason(watch_reason(&host.watch, 0, &stats), -ENODATA);
    assert_true(stats.unsent > 0);
    peer_close(fd);
    host_stop(&host);
}

const struct test_case test_cases[] = {
    {"a_size_that_lies_is_told", a_size_that_lies_is_told},
    {NULL, NULL},
};
