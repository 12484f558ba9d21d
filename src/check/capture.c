// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets of a capture for the functions that a script registered: each in the order of registration, as the kernel does, with the hook
 * budget; verdicts, the dearest packet and what went wrong are printed. A packet is a table here: `#packet` and `packet.len`, its length
 * from the network header on, `packet.family`, and `packet.data`, a memory over its bytes.
 *
 * It leaves out what a capture does not know: devices, marks, connections, and which hook a packet would come through; every function
 * gets every packet of its family.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "memlib.h"
#include "check.h"

enum { DROPPED, ACCEPTED, OTHER, ERRORS, OUTCOMES };

struct traffic {
	struct check *c;
	unsigned long long packets, outcomes[OUTCOMES];
	unsigned long long dearest, dearest_number;
	int told;			/* errors printed */
};

/* Errors printed, at most. */
#define TOLD	5

struct meeting {
	struct registered *r;
	unsigned short protocol;
	const unsigned char *bytes;
	size_t len;
};

static int packet_length(lua_State *L)
{
	lua_getfield(L, 1, "len");
	return 1;
}

/* Calls one function with one packet: its verdict, or nil. */
static int meet(lua_State *L)
{
	struct meeting *m = lua_touserdata(L, 1);
	char *bytes;

	lua_rawgeti(L, LUA_REGISTRYINDEX, m->r->call);
	lua_newtable(L);
	lua_pushinteger(L, (lua_Integer)m->len);
	lua_setfield(L, -2, "len");
	lua_pushstring(L, m->protocol == 0x0800 ? "ipv4" : m->protocol == 0x86dd ? "ipv6" : "other");
	lua_setfield(L, -2, "family");
	lunatik_memory_new(L, m->len);
	bytes = lunatik_memory_check(L, -1, &m->len);
	memcpy(bytes, m->bytes, m->len);
	lua_setfield(L, -2, "data");
	lua_newtable(L);
	lua_pushcfunction(L, packet_length);
	lua_setfield(L, -2, "__len");
	lua_setmetatable(L, -2);
	check_bounded(L, 1, 1);
	if (lua_toboolean(L, -1) && lua_type(L, -1) != LUA_TSTRING)
		return luaL_error(L, "a verdict is a string or nil, not a %s", luaL_typename(L, -1));
	return 1;
}

static int concerns(const struct registered *r, unsigned short protocol)
{
	if (strcmp(r->family, "ipv4") == 0)
		return protocol == 0x0800;
	if (strcmp(r->family, "ipv6") == 0)
		return protocol == 0x86dd;
	if (strcmp(r->family, "inet") == 0)
		return protocol == 0x0800 || protocol == 0x86dd;
	if (strcmp(r->family, "arp") == 0)
		return protocol == 0x0806;
	return 1;
}

static int outcome_of(const char *verdict)
{
	if (strcmp(verdict, "drop") == 0)
		return DROPPED;
	return strcmp(verdict, "accept") == 0 ? ACCEPTED : OTHER;
}

static int packet(void *context, unsigned short protocol, const unsigned char *bytes, size_t len)
{
	struct traffic *t = context;
	lua_State *L = t->c->runs;
	unsigned long long before = t->c->instructions;
	struct registered *r;
	int outcome = ACCEPTED, met = 0;

	t->packets++;
	for (r = registered; r; r = r->next) {
		struct meeting m = { r, protocol, bytes, len };
		const char *verdict;

		if (!r->live || !concerns(r, protocol))
			continue;
		met = 1;
		lua_settop(L, 0);
		lua_pushcfunction(L, meet);
		lua_pushlightuserdata(L, &m);
		if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
			t->outcomes[ERRORS]++;
			if (t->told++ < TOLD)
				fprintf(stderr, "packet %llu: %s (onerror: %s)\n", t->packets,
					lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(the error is no text)", r->onerror);
			outcome = outcome_of(r->onerror);
			break;
		}
		verdict = lua_tostring(L, -1);
		if (verdict && (outcome = outcome_of(verdict)) != ACCEPTED)
			break;
	}
	lua_settop(L, 0);
	t->outcomes[outcome]++;
	if (t->c->instructions - before > t->dearest) {
		t->dearest = t->c->instructions - before;
		t->dearest_number = t->packets;
	}
	(void)met;
	return !t->c->late;
}

int check_capture(struct check *c, const char *file)
{
	static const char *const why[] = { "", "is no capture (pcap or pcapng)", "has a link layer that is not supported",
					   "is cut short" };
	struct traffic t = { .c = c };
	unsigned char *bytes = NULL;
	size_t len = 0, got;
	FILE *f = fopen(file, "rb");
	int status;

	if (f == NULL) {
		perror(file);
		return 1;
	}
	do {
		bytes = realloc(bytes, len + (1 << 20));
		if (bytes == NULL)
			abort();
		got = fread(bytes + len, 1, 1 << 20, f);
		len += got;
	} while (got > 0);
	fclose(f);
	if (!registered)
		fprintf(stderr, "%s: it registered no function for packets\n", c->name);
	status = check_pcap(bytes, len, packet, &t);
	free(bytes);
	printf("%llu packets: %llu accepted, %llu dropped, %llu other; %llu errors\n", t.packets, t.outcomes[ACCEPTED],
	       t.outcomes[DROPPED], t.outcomes[OTHER], t.outcomes[ERRORS]);
	if (t.dearest)
		printf("the dearest: packet %llu, %llu VM instructions of %llu\n", t.dearest_number, t.dearest, c->budget);
	if (status)
		fprintf(stderr, "%s %s\n", file, why[status]);
	return status != 0 || t.outcomes[ERRORS] != 0 || !registered;
}
