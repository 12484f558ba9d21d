// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard: a timer a CPU that sets a flag when the same Lua code has run there for a whole period.
 *
 * It is armed lazily: an entry into Lua only writes two words; the timer runs on while Lua runs, and stops itself
 * once nothing was entered for a whole period, so that packets by the thousand do not arm it one by one. An entry
 * that began just after a tick is flagged by the second tick after it, so the flag comes between one and two periods
 * after the entry. No clock is read.
 *
 * Context: enter and leave with bottom halves off, on one CPU; the timer itself in hard interrupt of
 * the same CPU. That is why plain per-CPU words do.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/percpu.h>

#include "kapi.h"

struct guard {
	struct hrtimer timer;
	int *flag;		/* of the innermost entry on this CPU, or NULL */
	unsigned long entries;	/* counts changes of `flag` */
	unsigned long seen;	/* `entries` at the last tick */
	bool armed;
};

static DEFINE_PER_CPU(struct guard, guards);
static ktime_t period;

static enum hrtimer_restart guard_tick(struct hrtimer *timer)
{
	struct guard *guard = container_of(timer, struct guard, timer);
	int *flag = READ_ONCE(guard->flag);

	if (guard->seen == guard->entries) {
		if (!flag) {
			WRITE_ONCE(guard->armed, false);
			return HRTIMER_NORESTART;
		}
		WRITE_ONCE(*flag, 1);
	}
	guard->seen = guard->entries;
	hrtimer_forward_now(timer, period);
	return HRTIMER_RESTART;
}

/* Watches `flag` until guard_leave, which wants back what this returns. */
int *lunatik_guard_enter(int *flag)
{
	struct guard *guard = this_cpu_ptr(&guards);
	int *outer = guard->flag;

	guard->entries++;
	WRITE_ONCE(guard->flag, flag);
	if (!READ_ONCE(guard->armed)) {
		WRITE_ONCE(guard->armed, true);
		hrtimer_start_range_ns(&guard->timer, period, 0, HRTIMER_MODE_REL_PINNED_HARD);
	}
	return outer;
}

void lunatik_guard_leave(int *outer)
{
	struct guard *guard = this_cpu_ptr(&guards);

	guard->entries++;
	WRITE_ONCE(guard->flag, outer);
}

int lunatik_guard_init(unsigned int period_us)
{
	int cpu;

	period = us_to_ktime(max(period_us, 10U));
	for_each_possible_cpu(cpu)
		hrtimer_setup(&per_cpu(guards, cpu).timer, guard_tick, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_PINNED_HARD);
	return 0;
}

/* No Lua runs any more. */
void lunatik_guard_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		hrtimer_cancel(&per_cpu(guards, cpu).timer);
}
