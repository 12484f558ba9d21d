// SPDX-License-Identifier: GPL-2.0-only
/*
 * Module parameters: set when the module is loaded, readable under
 * /sys/module/lunatik/parameters. (The module! macro of this kernel cannot make them readable.)
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#include "kapi.h"
#include "../lua/netfilter.h"

#define LUNATIK_PARAM(name, type, kind, value, text)				\
	type lunatik_##name = value;						\
	module_param_named(name, lunatik_##name, kind, 0444);	\
	MODULE_PARM_DESC(name, text)


LUNATIK_PARAM(maxstates, unsigned int, uint, 1024, "states at most (1024)");
LUNATIK_PARAM(defaultmaxalloc, unsigned int, uint, 65536, "memory limit of a state made without one, in bytes (65536)");
LUNATIK_PARAM(minalloc, unsigned int, uint, 32768, "the smallest memory limit, in bytes (32768)");
LUNATIK_PARAM(totalmax, unsigned long, ulong, 0, "memory limit of all states together, in bytes (an eighth of RAM)");
LUNATIK_PARAM(scriptmax, unsigned int, uint, 1 << 20, "the longest script, in bytes (1048576)");
LUNATIK_PARAM(slice_us, unsigned int, uint, 200, "longest time a script runs before others may, in microseconds (200)");
LUNATIK_PARAM(hookbudget_us, unsigned int, uint, 1000, "time budget of what cannot be sliced, in microseconds (1000)");
LUNATIK_PARAM(hookmaxalloc, unsigned int, uint, 1 << 20, "a state with a larger memory limit has no hooks, in bytes (1048576)");
LUNATIK_PARAM(queuebytes, unsigned int, uint, 128 << 10, "bytes that a queue of messages holds (131072)");
LUNATIK_PARAM(maxsockets, unsigned int, uint, 16384, "open sockets of a state at most (16384)");
LUNATIK_PARAM(stackcap, unsigned int, uint, 64, "C stacks for scripts at most; further scripts wait (64)");

static unsigned int lunatik_statenamemax = 63;
module_param_named(statenamemax, lunatik_statenamemax, uint, 0444);
MODULE_PARM_DESC(statenamemax, "the longest state name, in bytes (fixed)");

static unsigned int lunatik_scriptnamemax = 255;
module_param_named(scriptnamemax, lunatik_scriptnamemax, uint, 0444);
MODULE_PARM_DESC(scriptnamemax, "the longest script name, in bytes (fixed)");

static unsigned int lunatik_datamaxsize = 32768;
module_param_named(datamaxsize, lunatik_datamaxsize, uint, 0444);
MODULE_PARM_DESC(datamaxsize, "the longest message, in bytes (fixed)");

#ifdef CONFIG_KASAN
static bool lunatik_eachblock = true;
module_param_named(eachblock, lunatik_eachblock, bool, 0644);
MODULE_PARM_DESC(eachblock, "blocks of new states come one by one from kmalloc, for KASAN (Y), or from their reserve (N)");
#endif

/* Whether the blocks of a state made now come from kmalloc one by one; any context. */
bool lunatik_each_block(void)
{
#ifdef CONFIG_KASAN
	return READ_ONCE(lunatik_eachblock);
#else
	return false;
#endif
}

/* See src/lua/netfilter.h. */
unsigned int lunatik_hook_maxalloc(void)
{
	return lunatik_hookmaxalloc;
}

/* Pages of memory of the machine. */
unsigned long lunatik_ram_pages(void)
{
	return totalram_pages();
}
