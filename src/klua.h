/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * klua: Lua states for other kernel modules.
 *
 * All functions return 0 or a negative errno. (The first implementation of this interface returned 1
 * for success and 0 for failure; code that compares with the macros below is right under either.)
 * Declare the dependency with MODULE_SOFTDEP("pre: lunatik"), and build with KBUILD_EXTRA_SYMBOLS
 * naming lunatik's Module.symvers.
 */
#ifndef _KLUA_H
#define _KLUA_H

#define STATE_CREATION_SUCCESS	0
#define STATE_DELETION_SUCCESS	0
#define CODE_EXEC_SUCCESS	0

/*
 * klua_createstate - make a state with the default memory limit
 * @name: 1 to 63 of A-Za-z0-9_.- , not "." or ".."
 *
 * The state is visible in every other interface at once. Process context.
 *
 * Return: 0; -EINVAL (name), -ENAMETOOLONG, -EEXIST, -ENOSPC (too many states), -ENOMEM, -EPERM
 * (atomic context).
 */
int klua_createstate(const char *name);

/*
 * klua_deletestate - cancel what runs in a state, and free it
 *
 * When this returns nobody runs in the state any more. Process context; may sleep.
 *
 * Return: 0; -ENOENT, -EINVAL, -EPERM (atomic context).
 */
int klua_deletestate(const char *name);

/* klua_liststates - a line "State name: NAME" for each state in the kernel log. Process context. */
void klua_liststates(void);

/*
 * klua_execute - run a chunk in a state, here and now
 * @name: the state
 * @code: Lua source, zero-terminated
 *
 * Never waits. The chunk has the time budget of a hook (module parameter hookbudget_us). Its results
 * are dropped; the message of an error goes to the kernel log. Process context or softirq, interrupts
 * enabled.
 *
 * Return: 0; -ENOENT (no such state), -EBUSY (its lock is held: it runs, perhaps on this very CPU),
 * -ENOEXEC (does not compile), -EINVAL (raised an error, or spent its time), -ENOMEM, -EPERM (called
 * in hard interrupt or with interrupts off).
 */
int klua_execute(const char *name, const char *code);

#endif
