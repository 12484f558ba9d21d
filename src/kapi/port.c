// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the Lua core asks of the kernel (lua/kernel/lunatik_port.h). Any context.
 */
#include <linux/bug.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/timekeeping.h>

#include "kapi.h"

static siphash_key_t address_key;

/* Draws the key of hashed addresses; once, before any Lua runs. */
void lunatik_port_init(void)
{
	get_random_bytes(&address_key, sizeof(address_key));
}

unsigned long long lunatik_random_seed(void)
{
	return get_random_u64();
}

/* 48 bits, so that a script sees what looks like an address; 0 stands for NULL alone. */
unsigned long lunatik_hash_ptr(const void *p)
{
	unsigned long hash;

	if (!p)
		return 0;
	hash = siphash_1u64((unsigned long)p, &address_key) >> 16;
	return hash ?: 1;
}

long long lunatik_time(void)
{
	return ktime_get_real_seconds();
}

unsigned long long lunatik_clock_ns(struct lua_State *L)
{
	return ktime_get_mono_fast_ns();
}

/* An error outside of every protected call, or a failed assertion of the core: a defect of ours. */
void lunatik_abort(const char *what, const char *file, int line)
{
	pr_emerg("lunatik: %s (%s:%d)\n", what, file, line);
	BUG();
}
