/* SPDX-License-Identifier: MIT
 *
 * co: the context switch. Its assembly is in switch_PROCESSOR.S.
 *
 * Saved and restored is what the calling convention says a function must preserve: on x86-64 (System V) rbx, rbp, r12 to
 * r15, and the control bits of MXCSR and of the x87 control word; on aarch64 (AAPCS64) x19 to x30, d8 to d15, and FPCR.
 * All else is dead across a call. The signal mask is not touched: that would cost a system call each way.
 */
#ifndef FY_CO_SWITCH_H
#define FY_CO_SWITCH_H

/* Saves the caller's context on its stack, stores where in *from, and goes on with the context at `to`. Returns when
 * somebody switches back. */
void fy_switch(void **from, void *to);

/* Writes a first context below `top` (aligned to 16): switching to it calls entry(arg), which must never return. */
void *fy_switch_prepare(void *top, void (*entry)(void *), void *arg);

#endif
