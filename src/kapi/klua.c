// SPDX-License-Identifier: GPL-2.0-only
/*
 * The symbols that other modules link with (src/klua.h), and the one line of log that is printk's.
 */
#include <linux/bug.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/minmax.h>
#include <linux/printk.h>

#include "../klua.h"
#include "kapi.h"

int lunatik_klua_create(const char *name);
int lunatik_klua_delete(const char *name);
void lunatik_klua_list(void);
int lunatik_klua_execute(const char *name, const char *code);

int klua_createstate(const char *name)
{
	return name ? lunatik_klua_create(name) : -EINVAL;
}
EXPORT_SYMBOL_GPL(klua_createstate);

int klua_deletestate(const char *name)
{
	return name ? lunatik_klua_delete(name) : -EINVAL;
}
EXPORT_SYMBOL_GPL(klua_deletestate);

void klua_liststates(void)
{
	lunatik_klua_list();
}
EXPORT_SYMBOL_GPL(klua_liststates);

int klua_execute(const char *name, const char *code)
{
	if (!name || !code)
		return -EINVAL;
	if (WARN_ONCE(in_hardirq() || in_nmi() || irqs_disabled(), "klua_execute: called with interrupts off\n"))
		return -EPERM;
	return lunatik_klua_execute(name, code);
}
EXPORT_SYMBOL_GPL(klua_execute);

/*
 * One line of the log, of a state of that name, without newline in it. Zero bytes, at which printk would
 * stop, become question marks; other control characters are the console's business. One caller at a time.
 */
void lunatik_log_line(bool error, const char *name, const char *text, int len)
{
	static char line[1024];
	int i;

	len = min_t(int, len, sizeof(line));
	for (i = 0; i < len; i++)
		line[i] = text[i] ?: '?';
	if (error)
		printk(KERN_ERR "lunatik: %s: %.*s\n", name, len, line);
	else
		printk(KERN_INFO "lunatik: %s: %.*s\n", name, len, line);
}
