/* SPDX-License-Identifier: MIT
 *
 * co: the context switch for x86-64, System V.
 *
 * The frame of a context that is not running, from the address in its stack pointer upwards:
 *
 *      0   MXCSR, x87 control word (4 bytes each)
 *      8   r15   16 r14   24 r13   32 r12   40 rbx   48 rbp
 *     56   return address
 *
 * The frame is the same on both sides of the switch of rsp, so one set of CFI holds throughout, and a debugger or an
 * exception unwinds a parked context like a call. For CET, indirect branch tracking needs the landing pads here; the
 * shadow stack is not switched, so the object says that it does not support one, and the loader leaves it off.
 */
        .text
        .globl  fy_switch
        .hidden fy_switch
        .type   fy_switch, @function
        .p2align 4
fy_switch:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        stmxcsr (%rsp)
        fnstcw  4(%rsp)

        movq    %rsp, (%rdi)
        movq    %rsi, %rsp

        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbx
        popq    %rbp
        .cfi_adjust_cfa_offset -8
        .cfi_restore rbp
        popq    %rcx                    /* not ret: it would return to where the caller did not call from, which the */
        .cfi_adjust_cfa_offset -8       /* processor's return stack mispredicts at each switch (measured: twice the time) */
        .cfi_register rip, rcx
        notrack jmp *%rcx
        .cfi_endproc
        .size   fy_switch, . - fy_switch

/* Where a first context begins: entry in r12, its argument in r13. Nothing called this: unwinding ends here. */
        .type   first, @function
        .p2align 4
first:
        .cfi_startproc
        .cfi_undefined rip
        endbr64
        movq    %r13, %rdi
        callq   *%r12
        ud2
        .cfi_endproc
        .size   first, . - first

/* void *fy_switch_prepare(void *top, void (*entry)(void *), void *arg) */
        .globl  fy_switch_prepare
        .hidden fy_switch_prepare
        .type   fy_switch_prepare, @function
        .p2align 4
fy_switch_prepare:
        .cfi_startproc
        endbr64
        leaq    first(%rip), %rax
        movq    %rax, -8(%rdi)          /* so that rsp is at `top`, aligned, for the call in `first` */
        movq    $0, -16(%rdi)           /* rbp: the end of the chain of frames */
        movq    $0, -24(%rdi)
        movq    %rsi, -32(%rdi)         /* r12 */
        movq    %rdx, -40(%rdi)         /* r13 */
        movq    $0, -48(%rdi)
        movq    $0, -56(%rdi)
        stmxcsr -64(%rdi)               /* a new context computes as its maker does */
        fnstcw  -60(%rdi)
        leaq    -64(%rdi), %rax
        ret
        .cfi_endproc
        .size   fy_switch_prepare, . - fy_switch_prepare

        .section .note.GNU-stack, "", @progbits

        .section .note.gnu.property, "a"
        .p2align 3
        .long   4                       /* length of the name */
        .long   16                      /* length of the description */
        .long   5                       /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002              /* GNU_PROPERTY_X86_FEATURE_1_AND */
        .long   4
        .long   1                       /* IBT, and not SHSTK */
        .long   0
