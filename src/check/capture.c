// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets of a capture for the functions that a script registered: each in the order of registration, as the kernel does, with the hook
 * budget; verdicts, the dearest packet and what went wrong are printed. The packet object is the module's own, on captured bytes.
 *
 * It leaves out what a capture does not know (packets.c), and which hook a packet would come through: every function gets every packet
 * of its family.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "check.h"
#include "packet.h"
#include "packets.h"

enum { DROPPED, ACCEPTED, OTHER, ERRORS, OUTCOMES };

struct traffic {
	struct check *c;
	unsigned long long packets, outcomes[OUTCOMES];
	unsigned long long dearest, dearest_number;
	int told;			/* errors printed */
};

/* Errors printed, at most. */
#define TOLD	5

static int known(const char *verdict)
{
	static const char *const verdicts[] = { "accept", "drop", "queue", "stolen", "repeat", NULL };
	int i;

	for (i = 0; verdicts[i]; i++)
		if (strcmp(verdict, verdicts[i]) == 0)
			return 1;
	return 0;
}

struct meeting {
	struct registered *r;
	struct frame *frame;
	void *packet;
};

/* A packet is given to a function again so many times at most. */
#define REPEATS	16

/* Calls one function with one packet: its verdict, or nil. */
static int meet(lua_State *L)
{
	struct meeting *m = lua_touserdata(L, 1);
	int tries = 0;

	m->packet = lunatik_packet_new(L, m->frame, m->frame);
	do {
		if (tries++ > REPEATS)
			return luaL_error(L, "'repeat' again and again");
		lua_settop(L, 2);
		lua_rawgeti(L, LUA_REGISTRYINDEX, m->r->call);
		lua_pushvalue(L, 2);
		check_bounded(L, 1, 1);
		if (lua_toboolean(L, -1) && (lua_type(L, -1) != LUA_TSTRING || !known(lua_tostring(L, -1))))
			return luaL_error(L, "a verdict is accept, drop, queue, stolen, repeat, nil or false, not %s", luaL_tolstring(L, -1, NULL));
	} while (lua_toboolean(L, -1) && strcmp(lua_tostring(L, -1), "repeat") == 0);
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

static int packet(void *context, unsigned short protocol, const unsigned char *bytes, size_t len, size_t net, int ethernet)
{
	static const char *const hooks[] = { "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress" };
	struct traffic *t = context;
	lua_State *L = t->c->runs;
	unsigned long long before = t->c->instructions;
	struct registered *r;
	/* A script may write to its packet; what the parser reads lies before and behind its bytes at most by these. */
	unsigned char *own = calloc(1, len + 64);
	struct frame frame = { own, len, net, protocol, ethernet, 0, NULL };
	int outcome = ACCEPTED;

	if (own == NULL)
		abort();
	memcpy(own, bytes, len);
	t->packets++;
	for (r = registered; r; r = r->next) {
		struct meeting m = { r, &frame, NULL };
		const char *verdict;
		int failed;

		if (!r->live || !concerns(r, protocol))
			continue;
		for (frame.hook = 0; strcmp(hooks[frame.hook], r->hook) != 0; frame.hook++)
			;
		frame.hook_name = hooks[frame.hook];
		lua_settop(L, 0);
		lua_pushcfunction(L, meet);
		lua_pushlightuserdata(L, &m);
		failed = lua_pcall(L, 1, 1, 0) != LUA_OK;
		if (m.packet)
			lunatik_packet_withdraw(m.packet);
		if (failed) {
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
	free(own);
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
