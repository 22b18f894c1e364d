/* SPDX-License-Identifier: MIT
 *
 * co: the context switch for aarch64, AAPCS64.
 *
 * The frame of a context that is not running, from the address in its stack pointer upwards (176 bytes):
 *
 *      0  x29 x30    16  x19 x20    32  x21 x22    48  x23 x24    64  x25 x26    80  x27 x28
 *     96  d8 d9     112  d10 d11   128  d12 d13   144  d14 d15   160  fpcr, unused
 *
 * The frame is the same on both sides of the switch of sp, so one set of CFI holds throughout. `bti c` are the landing
 * pads for branch target identification.
 */
        .text
        .globl  fy_switch
        .hidden fy_switch
        .type   fy_switch, %function
        .p2align 4
fy_switch:
        .cfi_startproc
        hint    #34                     /* bti c */
        sub     sp, sp, #176
        .cfi_adjust_cfa_offset 176
        stp     x29, x30, [sp, #0]
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        stp     x19, x20, [sp, #16]
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        stp     x21, x22, [sp, #32]
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        stp     x23, x24, [sp, #48]
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        stp     x25, x26, [sp, #64]
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        stp     x27, x28, [sp, #80]
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x9, fpcr
        str     x9, [sp, #160]

        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1

        ldr     x9, [sp, #160]
        msr     fpcr, x9
        ldp     d14, d15, [sp, #144]
        ldp     d12, d13, [sp, #128]
        ldp     d10, d11, [sp, #112]
        ldp     d8, d9, [sp, #96]
        ldp     x27, x28, [sp, #80]
        ldp     x25, x26, [sp, #64]
        ldp     x23, x24, [sp, #48]
        ldp     x21, x22, [sp, #32]
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp, #0]
        .cfi_restore x19
        .cfi_restore x20
        .cfi_restore x21
        .cfi_restore x22
        .cfi_restore x23
        .cfi_restore x24
        .cfi_restore x25
        .cfi_restore x26
        .cfi_restore x27
        .cfi_restore x28
        .cfi_restore x29
        .cfi_restore x30
        add     sp, sp, #176
        .cfi_adjust_cfa_offset -176
        ret
        .cfi_endproc
        .size   fy_switch, . - fy_switch

/* Where a first context begins: entry in x19, its argument in x20. Nothing called this: unwinding ends here. */
        .type   first, %function
        .p2align 4
first:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36                     /* bti j */
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   first, . - first

/* void *fy_switch_prepare(void *top, void (*entry)(void *), void *arg) */
        .globl  fy_switch_prepare
        .hidden fy_switch_prepare
        .type   fy_switch_prepare, %function
        .p2align 4
fy_switch_prepare:
        .cfi_startproc
        hint    #34                     /* bti c */
        sub     x0, x0, #176
        adr     x9, first
        stp     xzr, x9, [x0, #0]       /* x29: the end of the chain of frames */
        stp     x1, x2, [x0, #16]
        stp     xzr, xzr, [x0, #32]
        stp     xzr, xzr, [x0, #48]
        stp     xzr, xzr, [x0, #64]
        stp     xzr, xzr, [x0, #80]
        stp     xzr, xzr, [x0, #96]
        stp     xzr, xzr, [x0, #112]
        stp     xzr, xzr, [x0, #128]
        stp     xzr, xzr, [x0, #144]
        mrs     x9, fpcr                /* a new context computes as its maker does */
        stp     x9, xzr, [x0, #160]
        ret
        .cfi_endproc
        .size   fy_switch_prepare, . - fy_switch_prepare

        .section .note.GNU-stack, "", %progbits

        .section .note.gnu.property, "a"
        .p2align 3
        .long   4                       /* length of the name */
        .long   16                      /* length of the description */
        .long   5                       /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000000              /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
        .long   4
        .long   1                       /* BTI */
        .long   0
