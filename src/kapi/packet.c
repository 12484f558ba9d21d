// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's half of packets: finding headers in an sk_buff, reading what is no byte of it, writing fields.
 *
 * Context: under the state's lock, in softirq or process context with bottom halves off; nothing sleeps. That is a
 * read-side section of RCU, too. The sk_buff is the hook's, or a stolen one of ours (stolen.c); nobody else changes it
 * meanwhile, but its bytes may be shared with a clone, so that whoever writes makes them its own first. What comes from the
 * packet is trusted for nothing: where headers lie says Rust (src/libs/packet/layout.rs), from the bytes at hand.
 *
 * A checksum is mended by the difference, never computed anew: a packet that was broken stays so. Left out: checksums of
 * SCTP and DCCP (such writes are refused).
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/inet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/netfilter_netdev.h>
#include <linux/nospec.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/route.h>
#include <net/netfilter/nf_conntrack.h>

#include "../lua/packet.h"
#include "packet.h"

/* --- finding headers ------------------------------------------------------------------------------------------------- */

/* The EtherType of the network header, by what the hook is about. */
static u16 type_of(const struct sk_buff *skb, u8 pf)
{
	switch (pf) {
	case NFPROTO_IPV4:
		return ETH_P_IP;
	case NFPROTO_IPV6:
		return ETH_P_IPV6;
	case NFPROTO_ARP:
		return ETH_P_ARP;
	default:
		return ntohs(skb->protocol);
	}
}

static u8 family_of(const struct lunatik_packet *p)
{
	const struct nf_hook_state *hook = p->hook;

	return hook ? hook->pf : lunatik_stolen_hook(p->stolen)->pf;
}

/* True when the device that the packet came through, or leaves by, has Ethernet headers. */
static bool is_ether(const struct lunatik_packet *p)
{
	const struct nf_hook_state *hook = p->hook;
	const struct net_device *dev;

	if (!hook)
		return lunatik_stolen_hook(p->stolen)->ether;
	dev = hook->in;
	if (!dev && hook->pf == NFPROTO_NETDEV)
		dev = hook->out;
	return dev && dev->type == ARPHRD_ETHER;
}

bool lunatik_packet_ether(const struct lunatik_packet *p)
{
	return is_ether(p);
}

static void set_computed(struct lunatik_packet *p, int which, u32 value)
{
	put_unaligned_be32(value, p->layout.computed[which]);
}

void lunatik_packet_look(struct lunatik_packet *p)
{
	struct sk_buff *skb = p->skb;
	int offset = skb_network_offset(skb), round;
	u16 type = type_of(skb, family_of(p));
	unsigned int head, l3, l4;

	if (offset < 0 || offset > skb->len)
		offset = skb->len;
	/* A tag that was pushed before the network header. */
	if (eth_type_vlan(htons(type)) && offset >= ETH_HLEN + VLAN_HLEN)
		offset = ETH_HLEN;
	/* Each extension header may want a little more than was pulled for the last. */
	for (round = 0; round < 16; round++) {
		head = skb_headlen(skb) > offset ? skb_headlen(skb) - offset : 0;
		lunatik_packet_parse(skb->data + offset, head, skb->len - offset, type, skb_is_gso(skb), &p->layout);
		if (!p->layout.wants || skb_shared(skb) || !pskb_may_pull(skb, offset + p->layout.wants))
			break;
	}
	head = skb_headlen(skb) > offset ? skb_headlen(skb) - offset : 0;
	l3 = array_index_nospec(p->layout.l3, head + 1);
	l4 = array_index_nospec(p->layout.l3 + p->layout.l4, head + 1);
	p->len = skb->len - offset - l3;
	p->base[LUNATIK_BASE_NET] = skb->data + offset + l3;
	p->base[LUNATIK_BASE_TRANSPORT] = skb->data + offset + l4;
	p->base[LUNATIK_BASE_MAC] = p->base[LUNATIK_BASE_NET];
	p->base[LUNATIK_BASE_COMPUTED] = p->layout.computed[0];
	if (is_ether(p) && skb_mac_header_was_set(skb) && skb_mac_header(skb) + ETH_HLEN <= skb->data + offset &&
	    skb_mac_header(skb) + ETH_HLEN <= skb_tail_pointer(skb)) {
		p->base[LUNATIK_BASE_MAC] = skb_mac_header(skb);
		p->layout.has |= LUNATIK_HAS_ETHER;
	}
	if (skb_vlan_tag_present(skb)) {
		p->layout.has |= LUNATIK_HAS_VLAN;
		set_computed(p, LUNATIK_IS_VLAN_TCI, skb_vlan_tag_get(skb));
		set_computed(p, LUNATIK_IS_VLAN_PROTO, ntohs(skb->vlan_proto));
	}
}

static void look_once(struct lunatik_packet *p)
{
	if (!p->layout.has)
		lunatik_packet_look(p);
}

/* Where the network header lies, from skb->data. */
static unsigned int net_offset(const struct lunatik_packet *p)
{
	const struct sk_buff *skb = p->skb;

	return p->base[LUNATIK_BASE_NET] - skb->data;
}

/* --- what is no byte of the packet -------------------------------------------------------------------------------------- */

static int ifindex_of(const struct lunatik_packet *p, bool out)
{
	const struct nf_hook_state *hook = p->hook;
	const struct net_device *dev;

	if (!hook)
		return out ? lunatik_stolen_hook(p->stolen)->out : lunatik_stolen_hook(p->stolen)->in;
	dev = out ? hook->out : hook->in;
	return dev ? dev->ifindex : 0;
}

static u8 hook_of(const struct lunatik_packet *p)
{
	const struct nf_hook_state *hook = p->hook;

	return hook ? hook->hook : lunatik_stolen_hook(p->stolen)->hook;
}

/* The connection of the packet; NULL if it has none. */
static struct nf_conn *conn_of(const struct lunatik_packet *p, enum ip_conntrack_info *info)
{
	struct nf_conn *ct;

	*info = 0;
	if (p->stolen && lunatik_stolen_is_cut(p->stolen))
		return NULL;
	ct = nf_ct_get(p->skb, info);
	return ct && !nf_ct_is_template(ct) ? ct : NULL;
}

int lunatik_packet_meta(const struct lunatik_packet *p, unsigned int which, unsigned int *value)
{
	const struct sk_buff *skb = p->skb;
	enum ip_conntrack_info info;

	switch (which) {
	case LUNATIK_META_MARK:
		*value = skb->mark;
		return 1;
	case LUNATIK_META_PRIORITY:
		*value = skb->priority;
		return 1;
	case LUNATIK_META_IIF:
		*value = ifindex_of(p, false);
		return *value != 0;
	case LUNATIK_META_OIF:
		*value = ifindex_of(p, true);
		return *value != 0;
	case LUNATIK_META_HOOKNUM:
		*value = hook_of(p);
		return 1;
	case LUNATIK_META_CTMARK: {
#ifdef CONFIG_NF_CONNTRACK_MARK
		const struct nf_conn *ct = conn_of(p, &info);

		*value = ct ? READ_ONCE(ct->mark) : 0;
		return ct != NULL;
#endif
	}
	}
	return 0;
}

static const char *device_name(const struct lunatik_packet *p, bool out, char *buf)
{
	const struct nf_hook_state *hook = p->hook;

	if (!hook)
		return lunatik_stolen_device(p->stolen, out, buf);
	if (!(out ? hook->out : hook->in))
		return NULL;
	strscpy(buf, out ? hook->out->name : hook->in->name, IFNAMSIZ);
	return buf;
}

static const char *hook_name(const struct lunatik_packet *p)
{
	static const char *const inet[] = { "prerouting", "input", "forward", "output", "postrouting", "ingress" };
	static const char *const arp[] = { "input", "output", "forward" };
	static const char *const netdev[] = { "ingress", "egress" };
	u8 hook = hook_of(p);

	switch (family_of(p)) {
	case NFPROTO_ARP:
		return hook < ARRAY_SIZE(arp) ? arp[array_index_nospec(hook, ARRAY_SIZE(arp))] : NULL;
	case NFPROTO_NETDEV:
		return hook < ARRAY_SIZE(netdev) ? netdev[array_index_nospec(hook, ARRAY_SIZE(netdev))] : NULL;
	default:
		return hook < ARRAY_SIZE(inet) ? inet[array_index_nospec(hook, ARRAY_SIZE(inet))] : NULL;
	}
}

/* Seen from this machine: to it, from it, or through it. */
static const char *direction(const struct lunatik_packet *p)
{
	const char *name = hook_name(p);

	if (!name)
		return NULL;
	switch (name[0]) {
	case 'f':
		return "forward";
	case 'o':
	case 'e':
		return "out";
	case 'p':
		return name[1] == 'o' ? "out" : "in";
	default:
		return "in";
	}
}

static const char *conn_state(const struct lunatik_packet *p)
{
	enum ip_conntrack_info info;

	if (!conn_of(p, &info))
		return info == IP_CT_UNTRACKED ? "untracked" : NULL;
	switch (info) {
	case IP_CT_ESTABLISHED:
	case IP_CT_ESTABLISHED_REPLY:
		return "established";
	case IP_CT_RELATED:
	case IP_CT_RELATED_REPLY:
		return "related";
	default:
		return "new";
	}
}

const char *lunatik_packet_word(const struct lunatik_packet *p, unsigned int which, char *buf)
{
	static const char *const types[] = { "host", "broadcast", "multicast", "otherhost" };
	const struct sk_buff *skb = p->skb;
	unsigned int type = skb->pkt_type;

	BUILD_BUG_ON(LUNATIK_WORD_SIZE < IFNAMSIZ);
	switch (which) {
	case LUNATIK_WORD_INDEV:
		return device_name(p, false, buf);
	case LUNATIK_WORD_OUTDEV:
		return device_name(p, true, buf);
	case LUNATIK_WORD_HOOK:
		return hook_name(p);
	case LUNATIK_WORD_DIRECTION:
		return direction(p);
	case LUNATIK_WORD_PKTTYPE:
		return type < ARRAY_SIZE(types) ? types[array_index_nospec(type, ARRAY_SIZE(types))] : NULL;
	case LUNATIK_WORD_CTSTATE:
		return conn_state(p);
	case LUNATIK_WORD_FAMILY:
		switch (lunatik_computed(&p->layout, LUNATIK_IS_ETHERTYPE)) {
		case ETH_P_IP:
			return "ipv4";
		case ETH_P_IPV6:
			return "ipv6";
		case ETH_P_ARP:
			return "arp";
		}
		return NULL;
	}
	return NULL;
}

unsigned int lunatik_packet_connid(const struct lunatik_packet *p)
{
	enum ip_conntrack_info info;
	struct nf_conn *ct = conn_of(p, &info);

	return ct ? lunatik_conn_id(ct) : 0;
}

void lunatik_packet_facts(const struct lunatik_packet *p, struct lunatik_packet_facts *facts)
{
	const struct sk_buff *skb = p->skb;

	facts->len = skb->len;
	facts->data_len = skb->data_len;
	facts->users = refcount_read(&skb->users);
	facts->cloned = skb->cloned;
	facts->dataref = atomic_read(&skb_shinfo(skb)->dataref) & SKB_DATAREF_MASK;
	facts->frags = skb_shinfo(skb)->nr_frags;
}

int lunatik_address_text(const unsigned char *bytes, int six, char *text)
{
	return scnprintf(text, LUNATIK_ADDRESS_SIZE, six ? "%pI6c" : "%pI4", bytes);
}

int lunatik_address_parse(const char *text, size_t len, int six, unsigned char *bytes)
{
	const char *end = text;

	if (len == 0 || len >= LUNATIK_ADDRESS_SIZE)
		return 0;
	return (six ? in6_pton : in4_pton)(text, len, bytes, -1, &end) && end == text + len;
}

/* --- bytes ---------------------------------------------------------------------------------------------------------------- */

/* Makes the first `len` bytes of the sk_buff our own, in one run. What was found before is void. */
static int own(struct lunatik_packet *p, unsigned int len)
{
	struct sk_buff *skb = p->skb;

	if (skb_shared(skb))
		return -EBUSY;
	if (skb_ensure_writable(skb, len))
		return -ENOMEM;
	/* The sum that the device made is none any more: whoever wants one computes it. */
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	lunatik_packet_look(p);
	return 0;
}

int lunatik_packet_linear(struct lunatik_packet *p, int write)
{
	struct sk_buff *skb = p->skb;

	if (write)
		return own(p, skb->len);
	if (!skb_is_nonlinear(skb))
		return 0;
	if (skb_shared(skb))
		return -EBUSY;
	if (skb_linearize(skb))
		return -ENOMEM;
	lunatik_packet_look(p);
	return 0;
}

unsigned char *lunatik_packet_frame(const struct lunatik_packet *p, size_t *len)
{
	const unsigned char *from = p->base[LUNATIK_BASE_NET];

	if (p->layout.has & LUNATIK_HAS_ETHER)
		from = p->base[LUNATIK_BASE_MAC];
	*len = skb_tail_pointer((struct sk_buff *)p->skb) - from;
	return (unsigned char *)from;
}

int lunatik_packet_copy(const struct lunatik_packet *p, unsigned int offset, char *to, unsigned int len)
{
	return skb_copy_bits(p->skb, net_offset(p) + offset, to, len);
}

/* --- checksums ------------------------------------------------------------------------------------------------------------ */

/* The checksum of the transport header, or NULL: it has none, or lies elsewhere, or there is one that cannot be mended (*err). */
static __sum16 *transport_sum(struct lunatik_packet *p, bool address, int *err)
{
	unsigned char *l4 = (unsigned char *)p->base[LUNATIK_BASE_TRANSPORT];
	struct sk_buff *skb = p->skb;
	u32 protocol = lunatik_computed(&p->layout, LUNATIK_IS_PROTOCOL);

	*err = 0;
	if (!(p->layout.has & LUNATIK_HAS_PROTOCOL)) {
		*err = -EOPNOTSUPP;
		return NULL;
	}
	if (p->layout.has & LUNATIK_HAS_FRAGMENT && lunatik_computed(&p->layout, LUNATIK_IS_FRAG_OFF)) {
		/* An address is mended in the first fragment; the rest has but the address. */
		if (!address)
			*err = -EOPNOTSUPP;
		return NULL;
	}
	switch (protocol) {
	case IPPROTO_TCP:
		if (p->layout.has & LUNATIK_HAS_TCP)
			return (__sum16 *)(l4 + offsetof(struct tcphdr, check));
		break;
	case IPPROTO_UDP:
		if (p->layout.has & LUNATIK_HAS_UDP) {
			__sum16 *sum = (__sum16 *)(l4 + offsetof(struct udphdr, check));

			return *sum || skb->ip_summed == CHECKSUM_PARTIAL ? sum : NULL;
		}
		break;
	case IPPROTO_UDPLITE:
		/* What its payload's checksum covers is for the header to say. */
		if (address && p->layout.has & LUNATIK_HAS_UDP)
			return (__sum16 *)(l4 + offsetof(struct udphdr, check));
		break;
	case IPPROTO_ICMP:
		if (address && p->layout.has & LUNATIK_HAS_IP4)
			return NULL;
		fallthrough;
	case IPPROTO_ICMPV6:
		if (p->layout.has & LUNATIK_HAS_ICMP)
			return (__sum16 *)(l4 + 2);
		/* ICMP of the other version is no more than bytes. */
		if ((protocol == IPPROTO_ICMP) != !!(p->layout.has & LUNATIK_HAS_IP4))
			return NULL;
		break;
	case IPPROTO_DCCP:
		break;
	case IPPROTO_SCTP:
		if (address)
			return NULL;
		break;
	default:
		return NULL;
	}
	*err = -EOPNOTSUPP;
	return NULL;
}

/* How much of the packet must be our own to write that checksum and all before it, from the network header. */
static unsigned int sum_end(const struct lunatik_packet *p)
{
	if (p->layout.has & LUNATIK_HAS_TCP)
		return p->layout.l4 + sizeof(struct tcphdr);
	if (p->layout.has & (LUNATIK_HAS_UDP | LUNATIK_HAS_ICMP))
		return p->layout.l4 + sizeof(struct udphdr);
	return p->layout.has & LUNATIK_HAS_IP6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
}

/* A sum of 0 says that UDP has none. */
static void never_zero(const struct lunatik_packet *p, __sum16 *sum)
{
	u32 protocol = lunatik_computed(&p->layout, LUNATIK_IS_PROTOCOL);

	if ((protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) && !*sum)
		*sum = CSUM_MANGLED_0;
}

/* --- writing fields --------------------------------------------------------------------------------------------------------- */

static int write_address(struct lunatik_packet *p, bool source, const unsigned char *bytes)
{
	struct sk_buff *skb = p->skb;
	__sum16 *sum;
	int err;

	transport_sum(p, true, &err);
	if (err)
		return err;
	err = own(p, net_offset(p) + sum_end(p));
	if (err)
		return err;
	sum = transport_sum(p, true, &err);
	if (p->layout.has & LUNATIK_HAS_IP6) {
		struct ipv6hdr *ip = (struct ipv6hdr *)p->base[LUNATIK_BASE_NET];
		struct in6_addr *at = source ? &ip->saddr : &ip->daddr, to;

		memcpy(&to, bytes, sizeof(to));
		if (sum)
			inet_proto_csum_replace16(sum, skb, at->s6_addr32, to.s6_addr32, true);
		*at = to;
	} else {
		struct iphdr *ip = (struct iphdr *)p->base[LUNATIK_BASE_NET];
		__be32 *at = source ? &ip->saddr : &ip->daddr, to;

		memcpy(&to, bytes, sizeof(to));
		if (sum)
			inet_proto_csum_replace4(sum, skb, *at, to, true);
		csum_replace4(&ip->check, *at, to);
		*at = to;
	}
	if (sum)
		never_zero(p, sum);
	skb_clear_hash(skb);
	return 0;
}

static int write_port(struct lunatik_packet *p, bool source, u16 value)
{
	struct sk_buff *skb = p->skb;
	__sum16 *sum;
	__be16 *at;
	int err;

	if (!(p->layout.has & (LUNATIK_HAS_TCP | LUNATIK_HAS_UDP)))
		return -EOPNOTSUPP;
	err = own(p, net_offset(p) + sum_end(p));
	if (err)
		return err;
	sum = transport_sum(p, true, &err);
	if (err)
		return err;
	at = (__be16 *)p->base[LUNATIK_BASE_TRANSPORT] + !source;
	if (sum) {
		inet_proto_csum_replace2(sum, skb, *at, htons(value), false);
		never_zero(p, sum);
	}
	*at = htons(value);
	skb_clear_hash(skb);
	return 0;
}

static int write_ttl(struct lunatik_packet *p, u8 value)
{
	bool six = p->layout.has & LUNATIK_HAS_IP6;
	int err = own(p, net_offset(p) + (six ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)));

	if (err)
		return err;
	if (six) {
		((struct ipv6hdr *)p->base[LUNATIK_BASE_NET])->hop_limit = value;
	} else {
		struct iphdr *ip = (struct iphdr *)p->base[LUNATIK_BASE_NET];

		csum_replace2(&ip->check, htons(ip->ttl << 8), htons(value << 8));
		ip->ttl = value;
	}
	return 0;
}

static int write_tos(struct lunatik_packet *p, u8 value)
{
	bool six = p->layout.has & LUNATIK_HAS_IP6;
	int err = own(p, net_offset(p) + (six ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)));

	if (err)
		return err;
	if (six) {
		ipv6_change_dsfield((struct ipv6hdr *)p->base[LUNATIK_BASE_NET], 0, value);
	} else {
		struct iphdr *ip = (struct iphdr *)p->base[LUNATIK_BASE_NET];

		csum_replace2(&ip->check, htons(ip->tos), htons(value));
		ip->tos = value;
	}
	return 0;
}

int lunatik_packet_write(struct lunatik_packet *p, enum lunatik_packet_write what, unsigned int value, const unsigned char *bytes)
{
	static const unsigned int needs[] = {
		[LUNATIK_WRITE_SADDR] = LUNATIK_HAS_IP,
		[LUNATIK_WRITE_DADDR] = LUNATIK_HAS_IP,
		[LUNATIK_WRITE_SPORT] = LUNATIK_HAS_PORTS,
		[LUNATIK_WRITE_DPORT] = LUNATIK_HAS_PORTS,
		[LUNATIK_WRITE_TTL] = LUNATIK_HAS_IP,
		[LUNATIK_WRITE_TOS] = LUNATIK_HAS_IP,
		[LUNATIK_WRITE_SADDR_N] = LUNATIK_HAS_IP4,
		[LUNATIK_WRITE_DADDR_N] = LUNATIK_HAS_IP4,
	};
	struct sk_buff *skb = p->skb;
	__be32 address = htonl(value);

	look_once(p);
	if (what < ARRAY_SIZE(needs) && (p->layout.has & needs[what]) != needs[what])
		return -ENODATA;
	switch (what) {
	case LUNATIK_WRITE_MARK:
		skb->mark = value;
		return 0;
	case LUNATIK_WRITE_PRIORITY:
		skb->priority = value;
		return 0;
	case LUNATIK_WRITE_SADDR:
	case LUNATIK_WRITE_DADDR:
		return write_address(p, what == LUNATIK_WRITE_SADDR, bytes);
	case LUNATIK_WRITE_SADDR_N:
	case LUNATIK_WRITE_DADDR_N:
		return write_address(p, what == LUNATIK_WRITE_SADDR_N, (const unsigned char *)&address);
	case LUNATIK_WRITE_SPORT:
	case LUNATIK_WRITE_DPORT:
		return write_port(p, what == LUNATIK_WRITE_SPORT, value);
	case LUNATIK_WRITE_TTL:
		return write_ttl(p, value);
	case LUNATIK_WRITE_TOS:
		return write_tos(p, value);
	default:
		return -ENODATA;
	}
}

/* --- routes ------------------------------------------------------------------------------------------------------------------- */

/* At `output` the route is chosen before hooks: notes what it was chosen by. Other hooks need none. */
void lunatik_route_note(const struct sk_buff *skb, const struct nf_hook_state *state, struct lunatik_route *route)
{
	route->family = state->hook == NF_INET_LOCAL_OUT ? state->pf : 0;
	if (route->family == NFPROTO_IPV4) {
		const struct iphdr *ip = ip_hdr(skb);

		route->word[0] = (u64)ip->saddr << 32 | ip->daddr;
		route->tos = ip->tos;
	} else if (route->family == NFPROTO_IPV6) {
		memcpy(route->word, &ipv6_hdr(skb)->saddr, sizeof(route->word));
		route->tos = ipv6_get_dsfield(ipv6_hdr(skb));
	}
	route->mark = skb->mark;
}

/* Finds a new route if a script changed that. 0 or a negative errno; without the state's lock. */
int lunatik_route_renew(struct sk_buff *skb, const struct nf_hook_state *state, const struct lunatik_route *before)
{
	struct lunatik_route after;

	if (before->family != NFPROTO_IPV4 && before->family != NFPROTO_IPV6)
		return 0;
	lunatik_route_note(skb, state, &after);
	if (after.mark == before->mark && after.tos == before->tos && after.word[0] == before->word[0] &&
	    (before->family == NFPROTO_IPV4 || !memcmp(after.word, before->word, sizeof(after.word))))
		return 0;
	if (before->family == NFPROTO_IPV4)
		return ip_route_me_harder(state->net, state->sk, skb, RTN_UNSPEC);
	return IS_ENABLED(CONFIG_IPV6) ? ip6_route_me_harder(state->net, state->sk, skb) : 0;
}

int lunatik_packet_set(struct lunatik_packet *p, unsigned int offset, const char *bytes, unsigned int len)
{
	unsigned int from, end;
	unsigned char *at;
	__sum16 *sum;
	__wsum diff;
	int err;

	look_once(p);
	if (!(p->layout.has & LUNATIK_HAS_PAYLOAD))
		return -ENODATA;
	from = lunatik_computed(&p->layout, LUNATIK_IS_PAYLOAD) - 1;
	end = from + lunatik_computed(&p->layout, LUNATIK_IS_PAYLOAD_LEN);
	if (offset < from || offset > end || len > end - offset)
		return -EINVAL;
	transport_sum(p, false, &err);
	if (!err)
		err = own(p, net_offset(p) + offset + len);
	if (err)
		return err;
	sum = transport_sum(p, false, &err);
	at = (unsigned char *)p->base[LUNATIK_BASE_NET] + offset;
	diff = csum_partial(at, len, 0);
	memcpy(at, bytes, len);
	if (!sum)
		return 0;
	diff = csum_sub(csum_partial(at, len, 0), diff);
	diff = csum_shift(diff, offset - p->layout.l4);
	inet_proto_csum_replace_by_diff(sum, p->skb, diff, false, p->layout.has & LUNATIK_HAS_IP6);
	never_zero(p, sum);
	return 0;
}
