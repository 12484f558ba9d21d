// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for side stacks (one a CPU for softirq, and those of the pool, src/kapi/stack.rs) and for Lua
 * states (src/lua/memory.rs).
 *
 * vmalloc puts a guard page behind each. They are accounted to whoever asks first.
 */
#include <linux/cpumask.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/vmalloc.h>

#include "kapi.h"

static DEFINE_PER_CPU(void *, cpu_stacks);
static DEFINE_PER_CPU(bool, cpu_stack_taken);

/* Whether stacks begin as zeros and are looked at when they come back to the pool: for the bench, it takes long. */
static bool stackwatch;
module_param(stackwatch, bool, 0444);
MODULE_PARM_DESC(stackwatch, "measure the deepest use of C stacks (off)");

/* Bytes, and how many there are. */
static unsigned long deepest, deepest_of;

static int stackdeepest_get(char *text, const struct kernel_param *unused)
{
	return sysfs_emit(text, "%lu %lu\n", READ_ONCE(deepest), READ_ONCE(deepest_of));
}

static const struct kernel_param_ops stackdeepest_ops = { .get = stackdeepest_get };
module_param_cb(stackdeepest, &stackdeepest_ops, NULL, 0444);
MODULE_PARM_DESC(stackdeepest, "with stackwatch: the deepest use of a C stack of a script, and its size, in bytes (read only)");

/* Looks how far down a stack has ever been written; its lowest word is not the user's. Process context. */
void lunatik_stack_look(const void *stack, size_t size)
{
	const unsigned long *word = (const unsigned long *)stack + 1, *end = stack + size;
	unsigned long used;

	if (!stackwatch)
		return;
	while (word < end && !READ_ONCE_NOCHECK(*word))
		word++;
	used = (const char *)end - (const char *)word;
	/* Two may look at once: the figure is for the bench, which runs one script at a time. */
	WRITE_ONCE(deepest_of, size);
	if (used > READ_ONCE(deepest))
		WRITE_ONCE(deepest, used);
}

/*
 * User-mode Linux finds the end of a stack by the next multiple of THREAD_SIZE and reads on until there
 * when it records a trace, as KASAN has it do at every allocation.
 */
#define STACK_ALIGN	(IS_ENABLED(CONFIG_UML) ? THREAD_SIZE : 0)

/* Process context; NULL when memory is out. The lowest word says where the allocation begins. */
void *lunatik_stack_alloc(size_t size)
{
	void *raw = __vmalloc(size + STACK_ALIGN, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN |
							(stackwatch ? __GFP_ZERO : 0));
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

/*
 * Segments of states that are gone, for those that come: most are of one size, and a new one costs as much as all else of
 * a state. What is in them is not looked at by anybody. They stay with whom they were accounted to.
 * With KASAN none is kept, for the detectors are to see each.
 */
#define KEPT_SEGMENTS		4
#define KEPT_SEGMENT_MAX	(IS_ENABLED(CONFIG_KASAN) ? 0 : 128 * 1024)

static struct {
	void *base;
	size_t size;
} kept_segments[KEPT_SEGMENTS];
static DEFINE_SPINLOCK(kept_segments_lock);

/* A segment, page-aligned; process context, NULL when memory is out. */
void *lunatik_segment_alloc(size_t size)
{
	void *segment = NULL;
	int i;

	spin_lock(&kept_segments_lock);
	for (i = 0; i < KEPT_SEGMENTS && !segment; i++) {
		if (kept_segments[i].base && kept_segments[i].size == size) {
			segment = kept_segments[i].base;
			kept_segments[i].base = NULL;
		}
	}
	spin_unlock(&kept_segments_lock);
	if (segment)
		return segment;
	return __vmalloc(size, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
}

/* Process context. */
void lunatik_segment_free(void *segment, size_t size)
{
	int i;

	spin_lock(&kept_segments_lock);
	for (i = 0; i < KEPT_SEGMENTS && size <= KEPT_SEGMENT_MAX && segment; i++) {
		if (!kept_segments[i].base) {
			kept_segments[i].base = segment;
			kept_segments[i].size = size;
			segment = NULL;
		}
	}
	spin_unlock(&kept_segments_lock);
	vfree(segment);
}

/* No state is left. */
void lunatik_segments_exit(void)
{
	int i;

	for (i = 0; i < KEPT_SEGMENTS; i++) {
		vfree(kept_segments[i].base);
		kept_segments[i].base = NULL;
	}
}
