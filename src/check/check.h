/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `lunatik check`: what its files share. One process checks one script; user space, one thread.
 */
#ifndef LUNATIK_CHECK_H
#define LUNATIK_CHECK_H

#include <stddef.h>

#include "lua.h"

struct check {
	struct lunatik_ext ext;		/* first: the extra space of every lua_State points here */
	void *heap;
	lua_State *L;			/* the main thread: it runs nothing */
	lua_State *runs;		/* the thread of scripts and callbacks */
	const char *name;		/* the state's */
	size_t maxalloc;
	size_t peak;			/* in bytes, when the limit was lifted; else 0 */
	unsigned long long instructions;	/* VM instructions run so far */
	unsigned long long budget;	/* VM instructions for what cannot be sliced */
	unsigned long long left;	/* of it, while `bounded` */
	int bounded;			/* above 0: in a hook, or in lunatik.atomic */
	int late;			/* the whole took too long */
	double clock;			/* seconds that the script has slept */
	unsigned int timers, sends;	/* what it asked for */
};

extern struct check the_check;

/* The functions that were registered, in their order. */
struct registered {
	struct registered *next;
	char family[8], hook[16];
	const char *onerror;
	int live;
	int call;			/* a reference in the registry */
};
extern struct registered *registered;

/* Adds the libraries of the module that are not Lua's own. Protected call. */
int check_libs(lua_State *L);

/* Calls the function below its arguments on the stack of `L` with the hook budget; raises. */
void check_bounded(lua_State *L, int args, int results);

/* --pcap: gives every packet of a capture to the functions that were registered. The exit status. */
int check_capture(struct check *c, const char *file);

/* src/lua/check.rs */
void *check_heap(size_t limit);
void *check_alloc(void *heap, void *ptr, size_t osize, size_t nsize);
/* A new limit; nothing happens where more is in use. */
void check_limit(void *heap, size_t limit);
size_t check_used(const void *heap, size_t *peak);
int check_pcap(const unsigned char *bytes, size_t len,
	       int (*f)(void *context, unsigned short protocol, const unsigned char *packet, size_t len), void *context);

#endif
