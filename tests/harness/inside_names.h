/* SPDX-License-Identifier: MIT
 *
 * Included by the compiler before each file of a test program, ferry's own headers with it: the test's calls, and the
 * declarations they follow, change their names to those of inside.c.
 */
#ifndef FERRY_TEST_INSIDE_NAMES_H
#define FERRY_TEST_INSIDE_NAMES_H

#define ferry_send inside_ferry_send
#define ferry_sendv inside_ferry_sendv
#define ferry_send_owned inside_ferry_send_owned
#define ferry_send_blob inside_ferry_send_blob
#define ferry_send_file inside_ferry_send_file
#define ferry_send_file_as inside_ferry_send_file_as
#define ferry_transfer_cancel inside_ferry_transfer_cancel
#define ferry_shutdown inside_ferry_shutdown
#define ferry_close inside_ferry_close
#define ferry_abort inside_ferry_abort
#define ferry_conn_pause inside_ferry_conn_pause
#define ferry_conn_resume inside_ferry_conn_resume
#define ferry_post inside_ferry_post
#define ferry_after inside_ferry_after
#define ferry_every inside_ferry_every
#define ferry_connect inside_ferry_connect
#define ferry_listen inside_ferry_listen
#define ferry_listener_close inside_ferry_listener_close
#define ferry_pool_stop inside_ferry_pool_stop

#endif
