/* SPDX-License-Identifier: GPL-2.0-only */
/* What a test on the host may set before it runs Lua; see host_glue.c. */
#ifndef LUNATIK_HOST_GLUE_H
#define LUNATIK_HOST_GLUE_H

#include <stddef.h>

struct lua_State;

/* Called by lunatik_break in place of clearing timeup. */
extern void (*host_on_break)(struct lua_State *L);

/* Called by print with each line in place of writing it to standard output. */
extern void (*host_on_print)(const char *line, size_t len);

/* The folder that stands for that of the module files (package.h). */
extern const char *host_modules;

/* The library `transfer` (tests/lua/transfer.c). */
int host_open_transfer(struct lua_State *L);

/* Above 0: numbers print as "0", and take the C stack that the module's own conversion takes. */
extern int host_plain_text;

#endif
