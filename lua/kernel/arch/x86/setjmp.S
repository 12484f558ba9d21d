/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lunatik_setjmp and lunatik_longjmp for x86-64: the kernel, user-mode Linux and the host tests.
 *
 * Interrupts and preemption do not matter to them. longjmp goes back by RET through the slot that
 * setjmp's own return used, so it needs no indirect branch and no ENDBR, obeys return thunks, and the
 * unwinder sees an ordinary function at every instruction (the stack pointer changes in one).
 */
#if defined(__KERNEL__) && !defined(CONFIG_UML)
#include <linux/linkage.h>
#else
#define SYM_FUNC_START(name) \
	.globl name; .hidden name; .type name, @function; .balign 16; name:
#define SYM_FUNC_END(name) .size name, . - name
#define RET ret
#endif

	.text

/* int lunatik_setjmp(lunatik_jmpbuf buf): 0, and 1 when it returns by lunatik_longjmp. */
SYM_FUNC_START(lunatik_setjmp)
	movq	(%rsp), %rax
	movq	%rbx, 0(%rdi)
	movq	%rbp, 8(%rdi)
	movq	%r12, 16(%rdi)
	movq	%r13, 24(%rdi)
	movq	%r14, 32(%rdi)
	movq	%r15, 40(%rdi)
	movq	%rsp, 48(%rdi)
	movq	%rax, 56(%rdi)
	xorl	%eax, %eax
	RET
SYM_FUNC_END(lunatik_setjmp)

/* void lunatik_longjmp(const lunatik_jmpbuf buf) */
SYM_FUNC_START(lunatik_longjmp)
	movq	0(%rdi), %rbx
	movq	16(%rdi), %r12
	movq	24(%rdi), %r13
	movq	32(%rdi), %r14
	movq	40(%rdi), %r15
	movq	56(%rdi), %rcx
	movl	$1, %eax
	movq	48(%rdi), %rsp
	movq	8(%rdi), %rbp
	movq	%rcx, (%rsp)
	RET
SYM_FUNC_END(lunatik_longjmp)

	.section .note.GNU-stack, "", @progbits
