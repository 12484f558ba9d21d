/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel's files about packets share (packet.c, stolen.c, conn.c); see there.
 */
#ifndef LUNATIK_KAPI_PACKET_H
#define LUNATIK_KAPI_PACKET_H

#include <linux/types.h>

struct lunatik_packet;
struct nf_conn;
struct nf_hook_state;
struct sk_buff;

/* Where a packet was stolen: by number, so that it holds no device. */
struct lunatik_stolen_hook {
	int in, out, dev;
	u8 hook, pf;
	bool ether;
};

const struct lunatik_stolen_hook *lunatik_stolen_hook(const void *stolen);
/* True when its namespace is going: it has no connection and no route any more. */
bool lunatik_stolen_is_cut(const void *stolen);
const char *lunatik_stolen_device(const void *stolen, bool out, char *buf);
bool lunatik_packet_ether(const struct lunatik_packet *p);

/* What a route was chosen by. */
struct lunatik_route {
	u64 word[4];
	u32 mark;
	u8 family, tos;
};
void lunatik_route_note(const struct sk_buff *skb, const struct nf_hook_state *state, struct lunatik_route *route);
int lunatik_route_renew(struct sk_buff *skb, const struct nf_hook_state *state, const struct lunatik_route *before);

/* The connection's number, as `conntrack -L -o id` prints it. Under RCU. */
u32 lunatik_conn_id(const struct nf_conn *ct);

#endif
