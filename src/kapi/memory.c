// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for side stacks (one a CPU for softirq, and those of the pool, src/kapi/stack.rs) and for Lua
 * states (src/lua/memory.rs).
 *
 * vmalloc puts a guard page behind each. They are accounted to whoever asks first.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kapi.h"

static DEFINE_PER_CPU(void *, cpu_stacks);
static DEFINE_PER_CPU(bool, cpu_stack_taken);

/*
 * User-mode Linux finds the end of a stack by the next multiple of THREAD_SIZE and reads on until there
 * when it records a trace, as KASAN has it do at every allocation.
 */
#define STACK_ALIGN	(IS_ENABLED(CONFIG_UML) ? THREAD_SIZE : 0)

/* Process context; NULL when memory is out. The lowest word says where the allocation begins. */
void *lunatik_stack_alloc(size_t size)
{
	void *raw = __vmalloc(size + STACK_ALIGN, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	void *stack = raw;

	if (!raw)
		return NULL;
	if (STACK_ALIGN)
		stack = (void *)ALIGN((unsigned long)raw + size, STACK_ALIGN) - size;
	*(void **)stack = raw;
	return stack;
}

/* Process context. */
void lunatik_stack_free(void *stack)
{
	if (stack)
		vfree(*(void **)stack);
}

/*
 * The stack of this CPU, or NULL when it is taken: then this is Lua called from Lua. Bottom halves
 * off until it was given back.
 */
void *lunatik_cpu_stack_take(void)
{
	if (__this_cpu_read(cpu_stack_taken))
		return NULL;
	__this_cpu_write(cpu_stack_taken, true);
	return __this_cpu_read(cpu_stacks);
}

void lunatik_cpu_stack_give(void)
{
	__this_cpu_write(cpu_stack_taken, false);
}

int lunatik_cpu_stacks_init(size_t size)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		per_cpu(cpu_stacks, cpu) = lunatik_stack_alloc(size);
		if (!per_cpu(cpu_stacks, cpu)) {
			lunatik_cpu_stacks_exit();
			return -ENOMEM;
		}
	}
	return 0;
}

void lunatik_cpu_stacks_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		lunatik_stack_free(per_cpu(cpu_stacks, cpu));
		per_cpu(cpu_stacks, cpu) = NULL;
	}
}

/* --- memory of Lua states (src/lua/memory.rs) --- */

/* A block of at least 16 bytes' alignment; any context, NULL when there is none at once. */
void *lunatik_block_alloc(size_t size)
{
	return kmalloc(max_t(size_t, size, 16), GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
}

void lunatik_block_free(void *block)
{
	kfree(block);
}

/* A segment, page-aligned; process context, NULL when memory is out. */
void *lunatik_segment_alloc(size_t size)
{
	return __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

void lunatik_segment_free(void *segment)
{
	vfree(segment);
}
