/* SPDX-License-Identifier: MIT
 *
 * poll: io_uring's sends without a copy, IORING_OP_SEND_ZC: io_uring_enter(2), which completes twice: it has been sent;
 * then (IORING_CQE_F_NOTIF) the kernel reads the bytes no more. In between they are on loan to it.
 */
#ifndef FY_POLL_LOANS_H
#define FY_POLL_LOANS_H

#include "poll/poll.h"
#include "sys/ring.h"

struct fy_loans {
    struct fy_list list; /* fy_loan.link */
    bool refused;        /* this kernel cannot say whether it copied: it is older than Linux 6.2 */
};

void fy_loans_init(struct fy_loans *loans);

/* Makes this the submission of one, for the source of `slot`; the caller has still to give it a name. */
void fy_loan_prepare(struct fy_loans *loans, struct fy_loan *loan, struct fy_slot *slot, struct io_uring_sqe *sqe);

/* A completion of it. True: it is the first, so its result is to be told. */
bool fy_loan_completed(struct fy_loans *loans, struct fy_loan *loan, const struct io_uring_cqe *cqe);

/* There is no ring any more, and so the kernel will not say. */
void fy_loans_end(struct fy_loans *loans);

#endif
