/* SPDX-License-Identifier: MIT
 *
 * poll: the loans of loans.h.
 */
#include "poll/loans.h"

#include <errno.h>

/* Both of Linux 6.2, and not yet in all headers: that the notification says so if the bytes were copied all the same. */
enum { REPORT_USAGE = 1 << 3 };
static const unsigned COPIED = 1U << 31;

void fy_loans_init(struct fy_loans *loans)
{
    fy_list_init(&loans->list);
    loans->refused = false;
}

void fy_loan_prepare(struct fy_loans *loans, struct fy_loan *loan, struct fy_slot *slot, struct io_uring_sqe *sqe)
{
    sqe->opcode = IORING_OP_SEND_ZC;
    sqe->ioprio = REPORT_USAGE;
    loan->slot = slot;
    fy_list_append(&loans->list, &loan->link);
}

static void end(struct fy_loan *loan, bool copied)
{
    fy_list_remove(&loan->link);
    loan->over(loan, copied);
}

/* A first completion that says IORING_CQE_F_MORE will be followed by another, also when it is an error. */
bool fy_loan_completed(struct fy_loans *loans, struct fy_loan *loan, const struct io_uring_cqe *cqe)
{
    bool first = !(cqe->flags & IORING_CQE_F_NOTIF);
    loans->refused = loans->refused || (first && cqe->res == -EINVAL);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        end(loan, !first && ((unsigned)cqe->res & COPIED));
    return first;
}

void fy_loans_end(struct fy_loans *loans)
{
    while (!fy_list_empty(&loans->list))
        end(FY_CONTAINER(loans->list.next, struct fy_loan, link), false);
}
