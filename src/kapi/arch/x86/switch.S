/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running on another stack, in the one form that objtool and the ORC unwinder follow: the old stack
 * pointer is stored at the top of the new stack and popped from there (see
 * arch/x86/include/asm/irq_stack.h).
 */
#include <linux/linkage.h>

#ifndef RET
#define RET ret
#endif

	.text

/*
 * void lunatik_run_on_side(void *arg, void *top)
 * void lunatik_run_on_task(void *arg, void *top)
 *
 * Calls lunatik_side_main(arg), or lunatik_task_main(arg), with the stack pointer at `top`, a
 * 16-byte aligned address whose word is free; that word then holds the caller's stack pointer.
 * Preemption must be off from before lunatik_run_on_side until after it, except while
 * lunatik_task_main runs, which is on the task's own stack again.
 */
SYM_FUNC_START(lunatik_run_on_side)
	movq	%rsp, (%rsi)
	movq	%rsi, %rsp
	call	lunatik_side_main
	popq	%rsp
	RET
SYM_FUNC_END(lunatik_run_on_side)

SYM_FUNC_START(lunatik_run_on_task)
	movq	%rsp, (%rsi)
	movq	%rsi, %rsp
	call	lunatik_task_main
	popq	%rsp
	RET
SYM_FUNC_END(lunatik_run_on_task)

	.section .note.GNU-stack,"",@progbits
