// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet object outside the kernel: what src/kapi does for it there, on the flat bytes of a captured frame. The object itself
 * (fields, methods, their errors) is the module's own, src/lua/packet.c.
 *
 * It leaves out what a capture does not know (devices, marks, connections: such fields are nil), checksums, which nobody looks at, and
 * sending: what a script sends goes nowhere, and nothing can be stolen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "packet.h"
#include "packets.h"

/* {=== reading ============================================================================== */

static struct frame *frame_of(const struct lunatik_packet *p)
{
	return p->skb;
}

void lunatik_packet_look(struct lunatik_packet *p)
{
	struct frame *f = frame_of(p);
	const unsigned char *net = f->bytes + f->net;

	lunatik_packet_parse(net, f->len - f->net, f->len - f->net, f->protocol, 0, &p->layout);
	p->len = (unsigned int)(f->len - f->net) - p->layout.l3;
	p->base[LUNATIK_BASE_NET] = net + p->layout.l3;
	p->base[LUNATIK_BASE_TRANSPORT] = net + p->layout.l3 + p->layout.l4;
	p->base[LUNATIK_BASE_MAC] = p->base[LUNATIK_BASE_NET];
	p->base[LUNATIK_BASE_COMPUTED] = p->layout.computed[0];
	if (f->ethernet) {
		p->base[LUNATIK_BASE_MAC] = f->bytes;
		p->layout.has |= LUNATIK_HAS_ETHER;
	}
}

int lunatik_packet_meta(const struct lunatik_packet *p, unsigned int which, unsigned int *value)
{
	if (which != LUNATIK_META_HOOKNUM)
		return 0;
	*value = frame_of(p)->hook;
	return 1;
}

const char *lunatik_packet_word(const struct lunatik_packet *p, unsigned int which, char *buf)
{
	(void)buf;
	switch (which) {
	case LUNATIK_WORD_HOOK:
		return frame_of(p)->hook_name;
	case LUNATIK_WORD_FAMILY:
		switch (lunatik_computed(&p->layout, LUNATIK_IS_ETHERTYPE)) {
		case 0x0800: return "ipv4";
		case 0x86dd: return "ipv6";
		case 0x0806: return "arp";
		}
	}
	return NULL;
}

int lunatik_address_text(const unsigned char *bytes, int six, char *text)
{
	return inet_ntop(six ? AF_INET6 : AF_INET, bytes, text, LUNATIK_ADDRESS_SIZE) ? (int)strlen(text) : 0;
}

int lunatik_address_parse(const char *text, size_t len, int six, unsigned char *bytes)
{
	char copy[LUNATIK_ADDRESS_SIZE];

	if (len == 0 || len >= sizeof(copy) || memchr(text, 0, len))
		return 0;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return inet_pton(six ? AF_INET6 : AF_INET, copy, bytes) == 1;
}

unsigned int lunatik_packet_connid(const struct lunatik_packet *p)
{
	(void)p;
	return 0;
}

void lunatik_packet_facts(const struct lunatik_packet *p, struct lunatik_packet_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	facts->len = (int)(frame_of(p)->len - frame_of(p)->net);
	facts->users = facts->dataref = 1;
}

int lunatik_packet_linear(struct lunatik_packet *p, int write)
{
	(void)p;
	(void)write;
	return 0;
}

unsigned char *lunatik_packet_frame(const struct lunatik_packet *p, size_t *len)
{
	const struct frame *f = frame_of(p);
	const unsigned char *from = p->layout.has & LUNATIK_HAS_ETHER ? f->bytes : p->base[LUNATIK_BASE_NET];

	*len = (size_t)(f->bytes + f->len - from);
	return (unsigned char *)from;
}

int lunatik_packet_copy(const struct lunatik_packet *p, unsigned int offset, char *to, unsigned int len)
{
	memcpy(to, p->base[LUNATIK_BASE_NET] + offset, len);
	return 0;
}

/* ============================================================================================ }
 * {=== writing, without checksums ============================================================ */

static int put(const unsigned char *base, unsigned int offset, const void *bytes, size_t len)
{
	memcpy((unsigned char *)base + offset, bytes, len);
	return 0;
}

int lunatik_packet_write(struct lunatik_packet *p, enum lunatik_packet_write what, unsigned int value, const unsigned char *bytes)
{
	int six = (p->layout.has & LUNATIK_HAS_IP6) != 0;
	const unsigned char *net = p->base[LUNATIK_BASE_NET], *transport = p->base[LUNATIK_BASE_TRANSPORT];
	unsigned short half = htons((unsigned short)value);
	unsigned char byte = (unsigned char)value, both[2];
	unsigned int word = htonl(value);

	switch (what) {
	case LUNATIK_WRITE_SADDR: return put(net, six ? 8 : 12, bytes, six ? 16 : 4);
	case LUNATIK_WRITE_DADDR: return put(net, six ? 24 : 16, bytes, six ? 16 : 4);
	case LUNATIK_WRITE_SADDR_N: return put(net, 12, &word, 4);
	case LUNATIK_WRITE_DADDR_N: return put(net, 16, &word, 4);
	case LUNATIK_WRITE_SPORT: return put(transport, 0, &half, 2);
	case LUNATIK_WRITE_DPORT: return put(transport, 2, &half, 2);
	case LUNATIK_WRITE_TTL: return put(net, six ? 7 : 8, &byte, 1);
	case LUNATIK_WRITE_TOS:
		if (!six)
			return put(net, 1, &byte, 1);
		both[0] = (unsigned char)((net[0] & 0xf0) | byte >> 4);
		both[1] = (unsigned char)(byte << 4 | (net[1] & 0x0f));
		return put(net, 0, both, 2);
	default:	/* mark and priority: nobody reads them here */
		return 0;
	}
}

int lunatik_packet_set(struct lunatik_packet *p, unsigned int offset, const char *bytes, unsigned int len)
{
	unsigned int from, end;

	if (!(p->layout.has & LUNATIK_HAS_PAYLOAD))
		return -ENODATA;
	from = lunatik_computed(&p->layout, LUNATIK_IS_PAYLOAD) - 1;
	end = from + lunatik_computed(&p->layout, LUNATIK_IS_PAYLOAD_LEN);
	if (offset < from || offset > end || len > end - offset)
		return -EINVAL;
	return put(p->base[LUNATIK_BASE_NET], offset, bytes, len);
}

/* ============================================================================================ }
 * {=== what needs a network ================================================================== */

void *lunatik_store_new(struct lunatik_netns *netns)
{
	(void)netns;
	return NULL;
}

void lunatik_store_close(void *store)
{
	(void)store;
}

int lunatik_stolen_take(struct lunatik_packet *p)
{
	(void)p;
	return -EOPNOTSUPP;
}

/* No packet here is a stolen one, so that nobody comes this far. */
void lunatik_stolen_drop(struct lunatik_packet *p) { (void)p; }
void *lunatik_stolen_detach(struct lunatik_packet *p) { (void)p; return NULL; }
void lunatik_stolen_send(void *arg) { (void)arg; }
void lunatik_stolen_send_later(void *stolen) { (void)stolen; }

int lunatik_stolen_payload(struct lunatik_packet *p, const char *bytes, unsigned int len)
{
	(void)p;
	(void)bytes;
	(void)len;
	return -EOPNOTSUPP;
}

int lunatik_packet_tcpreply(struct lunatik_packet *p, const char *bytes, unsigned int len)
{
	(void)bytes;
	(void)len;
	return p->layout.has & LUNATIK_HAS_TCP ? 0 : -ENODATA;
}

int lunatik_conn_find(struct lunatik_netns *netns, struct lunatik_conn *conn, int traffic)
{
	(void)netns;
	(void)conn;
	(void)traffic;
	return -ENOENT;
}

struct lunatik_vm;
int lunatik_call_out(struct lunatik_vm *vm, void (*f)(void *), void *arg);

int lunatik_call_out(struct lunatik_vm *vm, void (*f)(void *), void *arg)
{
	(void)vm;
	(void)f;
	(void)arg;
	return 0;
}

/* ============================================================================================ } */
