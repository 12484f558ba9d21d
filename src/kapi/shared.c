// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters that the interpreters of one state share: each adds to a place of its own, whoever reads sums them up.
 *
 * An interpreter adds under its own lock, so its place has one writer at a time, and no two interpreters write to the
 * same cache line; a sum is of values that each were true at some instant while it was made. Counters live as long
 * as the state. Locks: one for the list, innermost, bottom halves off. Context: any but hard interrupt.
 */
#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "kapi.h"

#define COUNTERS	256	/* of one state */

struct place {
	s64 value;
} ____cacheline_aligned;

struct lunatik_counter {
	struct list_head link;
	unsigned int places;
	size_t len;
	char name[LUNATIK_COUNTER_NAME];
	struct place place[];
};

struct lunatik_shared {
	spinlock_t lock;
	struct list_head counters;
	unsigned int count, interpreters;
};

/* NULL when memory is out. Process context. */
struct lunatik_shared *lunatik_shared_new(unsigned int interpreters)
{
	struct lunatik_shared *shared = kzalloc(sizeof(*shared), GFP_KERNEL_ACCOUNT);

	if (!shared)
		return NULL;
	lunatik_spin_init(&shared->lock, LUNATIK_LOCK_QUEUE);
	INIT_LIST_HEAD(&shared->counters);
	shared->interpreters = interpreters;
	return shared;
}

/* No interpreter is left. Any context. */
void lunatik_shared_free(struct lunatik_shared *shared)
{
	struct lunatik_counter *counter, *next;

	if (!shared)
		return;
	list_for_each_entry_safe(counter, next, &shared->counters, link)
		kfree(counter);
	kfree(shared);
}

/*
 * The counter of that name (at most LUNATIK_COUNTER_NAME bytes), made if there is none; NULL when there are too many
 * (`*full`), or memory is out.
 */
struct lunatik_counter *lunatik_shared_counter(struct lunatik_shared *shared, const char *name, size_t len, int *full)
{
	struct lunatik_counter *counter;

	*full = 0;
	spin_lock_bh(&shared->lock);
	list_for_each_entry(counter, &shared->counters, link) {
		if (counter->len == len && !memcmp(counter->name, name, len))
			goto out;
	}
	counter = NULL;
	if (shared->count >= COUNTERS) {
		*full = 1;
		goto out;
	}
	/* Aligned by its size class, a power of two from a cache line on. */
	counter = kzalloc(roundup_pow_of_two(struct_size(counter, place, shared->interpreters)), GFP_ATOMIC | __GFP_ACCOUNT);
	if (!counter)
		goto out;
	counter->places = shared->interpreters;
	counter->len = len;
	memcpy(counter->name, name, len);
	list_add_tail(&counter->link, &shared->counters);
	shared->count++;
out:
	spin_unlock_bh(&shared->lock);
	return counter;
}

/* Under the lock of that interpreter. */
void lunatik_counter_add(struct lunatik_counter *counter, unsigned int interpreter, long long n)
{
	if (interpreter < counter->places) {
		s64 *value = &counter->place[interpreter].value;

		WRITE_ONCE(*value, (s64)((u64)*value + (u64)n));
	}
}

/* Wraps around as Lua's integers do. */
long long lunatik_counter_sum(const struct lunatik_counter *counter)
{
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < counter->places; i++)
		sum += (u64)READ_ONCE(counter->place[i].value);
	return (long long)sum;
}

/* As many interpreters a state that has one for each processor gets. */
unsigned int lunatik_online_cpus(void)
{
	return num_online_cpus();
}
