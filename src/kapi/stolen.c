// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stolen packets: what a script keeps beyond its callback, sends later, or throws away; and replies it makes.
 *
 * A state has one store, a member of its network namespace. A stolen packet is a clone without socket, so it keeps no
 * namespace alive; it knows devices by number, so it keeps none of them; and it is charged by its truesize until it is freed,
 * up to `queuebytes` a state. When the namespace goes, or the state ends, the store is cut: what leaves by itself is dropped,
 * and what scripts still hold loses its connection and its route, which are the namespace's, but keeps its bytes.
 *
 * Where a packet goes on is the function that comes after its hook: the rest of the same hook does not see it again. What was
 * stolen at ingress or in a bridge's prerouting and input is received anew instead, and passes its hook again.
 *
 * Locks: the store's, innermost (class queue), bottom halves off. Under a state's lock packets are only moved to a list: the
 * work item frees and sends, or a task that may sleep does so itself (lunatik_stolen_send).
 */
#include <linux/etherdevice.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/route.h>
#include <net/tcp.h>

#include "../lua/packet.h"
#include "kapi.h"
#include "netns.h"
#include "packet.h"

struct lunatik_store {
	struct lunatik_member member;	/* its references are those of the store */
	spinlock_t lock;
	struct list_head held;		/* in the hands of scripts */
	struct list_head leaving;	/* to be sent, or freed, by the work item */
	size_t bytes;
	bool cut;
	struct work_struct work;
};

struct lunatik_stolen {
	struct list_head link;
	struct lunatik_store *store;
	struct sk_buff *skb;
	struct lunatik_stolen_hook at;
	int (*okfn)(struct net *net, struct sock *sk, struct sk_buff *skb);
	unsigned int charged;
	enum { DROP, SEND, REPLY } then;
};

/* --- the store ---------------------------------------------------------------------------------------------------------- */

static void leave(struct lunatik_member *member)
{
	struct lunatik_store *store = container_of(member, struct lunatik_store, member);
	struct lunatik_stolen *stolen;

	spin_lock_bh(&store->lock);
	WRITE_ONCE(store->cut, true);
	list_for_each_entry(stolen, &store->leaving, link)
		stolen->then = DROP;
	spin_unlock_bh(&store->lock);
	/* Whoever reads a connection or sends does so under RCU, and has seen that it is cut from now on. */
	synchronize_rcu();
	spin_lock_bh(&store->lock);
	list_for_each_entry(stolen, &store->held, link) {
		nf_reset_ct(stolen->skb);
		skb_dst_drop(stolen->skb);
		skb_ext_reset(stolen->skb);
	}
	spin_unlock_bh(&store->lock);
	flush_work(&store->work);
}

static void free_store(struct lunatik_member *member)
{
	kfree(container_of(member, struct lunatik_store, member));
}

static const struct lunatik_member_ops store_ops = { .leave = leave, .free = free_store };

static void work_on(struct work_struct *work);

void *lunatik_store_new(struct lunatik_netns *netns)
{
	struct lunatik_store *store = kzalloc(sizeof(*store), GFP_ATOMIC | __GFP_ACCOUNT);

	if (!store)
		return NULL;
	lunatik_member_init(&store->member, &store_ops);
	lunatik_spin_init(&store->lock, LUNATIK_LOCK_QUEUE);
	INIT_LIST_HEAD(&store->held);
	INIT_LIST_HEAD(&store->leaving);
	INIT_WORK(&store->work, work_on);
	if (lunatik_member_join(&store->member, netns))
		return store;
	lunatik_member_put(&store->member);
	return NULL;
}

/* The state has no packets any more. Any context. */
void lunatik_store_close(void *arg)
{
	struct lunatik_store *store = arg;

	lunatik_member_retire(&store->member);
	lunatik_member_put(&store->member);
}

/* --- taking and dropping ---------------------------------------------------------------------------------------------------- */

/* Has the work item run, which keeps the store as long as it is queued. Under the store's lock. */
static void kick(struct lunatik_store *store)
{
	lunatik_member_get(&store->member);
	if (!queue_work(lunatik_workqueue(), &store->work))
		lunatik_member_put(&store->member);
}

/* Enters a packet, if it fits; the store's reference comes with it. */
static int enter(struct lunatik_store *store, struct lunatik_stolen *stolen, struct list_head *list)
{
	int err = 0;

	stolen->store = store;
	stolen->charged = stolen->skb->truesize;
	spin_lock_bh(&store->lock);
	if (store->cut)
		err = -ENETDOWN;
	else if (store->bytes + stolen->charged > READ_ONCE(lunatik_queuebytes))
		err = -ENOBUFS;
	if (!err) {
		store->bytes += stolen->charged;
		lunatik_member_get(&store->member);
		list_add_tail(&stolen->link, list);
		if (list == &store->leaving)
			kick(store);
	}
	spin_unlock_bh(&store->lock);
	return err;
}

/* Frees a packet that is in no list. */
static void release(struct lunatik_stolen *stolen)
{
	struct lunatik_store *store = stolen->store;

	kfree_skb(stolen->skb);
	spin_lock_bh(&store->lock);
	store->bytes -= stolen->charged;
	spin_unlock_bh(&store->lock);
	lunatik_member_put(&store->member);
	kfree(stolen);
}

/* Has the work item do what is to be done with a packet. */
static void depart(struct lunatik_stolen *stolen, int then)
{
	struct lunatik_store *store = stolen->store;

	spin_lock_bh(&store->lock);
	stolen->then = store->cut ? DROP : then;
	list_move_tail(&stolen->link, &store->leaving);
	kick(store);
	spin_unlock_bh(&store->lock);
}

static int transmit(struct net *net, struct lunatik_stolen *stolen);
static int reply_out(struct net *net, struct sk_buff *skb);

static void work_on(struct work_struct *work)
{
	struct lunatik_store *store = container_of(work, struct lunatik_store, work);
	struct lunatik_stolen *stolen;
	struct net *net;
	int then;

	for (;;) {
		spin_lock_bh(&store->lock);
		stolen = list_first_entry_or_null(&store->leaving, struct lunatik_stolen, link);
		if (stolen)
			list_del_init(&stolen->link);
		then = stolen ? stolen->then : DROP;
		spin_unlock_bh(&store->lock);
		if (!stolen)
			break;
		net = then == DROP ? NULL : lunatik_netns_get(store->member.netns);
		if (net) {
			if (then == SEND)
				transmit(net, stolen);
			else
				reply_out(net, no_free_ptr(stolen->skb));
			put_net(net);
		}
		release(stolen);
		cond_resched();
	}
	lunatik_member_put(&store->member);
}

/* Makes a clone keep what it refers to, and nothing that is a device's. 0 or a negative errno. */
static int hold(struct sk_buff *skb, u8 pf)
{
	struct dst_entry *dst = skb_dst(skb);

	skb->dev = NULL;
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	/* A bridge's packet on its way through the hooks of IP: its route is a part of the bridge, and so is the way on. */
	if (dst && dst->flags & DST_FAKE_RTABLE) {
		skb_dst_drop(skb);
		dst = NULL;
		if (pf != NFPROTO_BRIDGE)
			return -EOPNOTSUPP;
	}
	skb_ext_del(skb, SKB_EXT_BRIDGE_NF);
#endif
	return dst && !skb_dst_force(skb) ? -EHOSTUNREACH : 0;
}

int lunatik_stolen_take(struct lunatik_packet *p)
{
	const struct nf_hook_state *hook = p->hook;
	struct lunatik_stolen *stolen;
	struct sk_buff *skb = p->skb;
	int err;

	if (!p->store)
		return -ENETDOWN;
	/* Where it would go on may be gone by then: a module's function. Bridges have another way. */
	if (hook->pf != NFPROTO_BRIDGE && hook->pf != NFPROTO_NETDEV && is_vmalloc_or_module_addr(hook->okfn))
		return -EOPNOTSUPP;
	stolen = kzalloc(sizeof(*stolen), GFP_ATOMIC);
	if (!stolen)
		return -ENOMEM;
	stolen->at = (struct lunatik_stolen_hook) {
		.in = hook->in ? hook->in->ifindex : 0,
		.out = hook->out ? hook->out->ifindex : 0,
		.dev = skb->dev ? skb->dev->ifindex : 0,
		.hook = hook->hook,
		.pf = hook->pf,
		.ether = lunatik_packet_ether(p),
	};
	stolen->okfn = hook->okfn;
	stolen->skb = skb_clone(skb, GFP_ATOMIC);
	err = stolen->skb ? hold(stolen->skb, hook->pf) : -ENOMEM;
	if (!err)
		err = enter(p->store, stolen, &((struct lunatik_store *)p->store)->held);
	if (err) {
		/* A clone of what the caller has: nothing is freed with it but itself. */
		kfree_skb(stolen->skb);
		kfree(stolen);
		return err;
	}
	p->skb = stolen->skb;
	p->hook = NULL;
	p->stolen = stolen;
	p->layout.has = 0;
	return 0;
}

void *lunatik_stolen_detach(struct lunatik_packet *p)
{
	struct lunatik_stolen *stolen = p->stolen;

	p->skb = NULL;
	p->stolen = NULL;
	return stolen;
}

void lunatik_stolen_drop(struct lunatik_packet *p)
{
	depart(lunatik_stolen_detach(p), DROP);
}

void lunatik_stolen_send_later(void *stolen)
{
	depart(stolen, SEND);
}

/* --- what it knows of where it was stolen ------------------------------------------------------------------------------------ */

const struct lunatik_stolen_hook *lunatik_stolen_hook(const void *stolen)
{
	return &((const struct lunatik_stolen *)stolen)->at;
}

bool lunatik_stolen_is_cut(const void *stolen)
{
	return READ_ONCE(((const struct lunatik_stolen *)stolen)->store->cut);
}

const char *lunatik_stolen_device(const void *arg, bool out, char *buf)
{
	const struct lunatik_stolen *stolen = arg;
	int index = out ? stolen->at.out : stolen->at.in;
	struct net *net = index ? lunatik_netns_get(stolen->store->member.netns) : NULL;
	struct net_device *dev;

	if (!net)
		return NULL;
	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, index);
	if (dev)
		strscpy(buf, dev->name, IFNAMSIZ);
	rcu_read_unlock();
	put_net(net);
	return dev ? buf : NULL;
}

/* --- sending ------------------------------------------------------------------------------------------------------------------ */

/* The device of that number, if there was one; false when it is gone. Under RCU. */
static bool find_device(struct net *net, int index, struct net_device **dev)
{
	*dev = index ? dev_get_by_index_rcu(net, index) : NULL;
	return !index || (*dev && netif_running(*dev));
}

static int go_on(struct net *net, struct lunatik_stolen *stolen, struct sk_buff *skb)
{
	bool received = skb->dev && stolen->at.in == stolen->at.dev;

	switch (stolen->at.pf) {
	case NFPROTO_NETDEV:
		if (received)
			return netif_rx(skb);
#ifdef CONFIG_NETFILTER_SKIP_EGRESS
		/* Else it would come to the same hook again. */
		skb->nf_skip_egress = 1;
#endif
		return dev_queue_xmit(skb);
	case NFPROTO_BRIDGE:
		if (stolen->at.hook == NF_BR_PRE_ROUTING || stolen->at.hook == NF_BR_LOCAL_IN)
			return netif_rx(skb);
		skb_push(skb, ETH_HLEN);
		return dev_queue_xmit(skb);
	default:
		return stolen->okfn(net, NULL, skb);
	}
}

/* Lets a packet go on; it is the network's afterwards. 0, -ENETDOWN when there is no way any more, another errno. */
static int transmit(struct net *net, struct lunatik_stolen *stolen)
{
	struct net_device *in, *out, *dev;
	int err = -ENETDOWN;

	local_bh_disable();
	rcu_read_lock();
	if (!READ_ONCE(stolen->store->cut) && find_device(net, stolen->at.in, &in) && find_device(net, stolen->at.out, &out) &&
	    find_device(net, stolen->at.dev, &dev)) {
		struct sk_buff *skb = no_free_ptr(stolen->skb);

		skb->dev = dev;
		err = go_on(net, stolen, skb);
		/* Congestion and the like is no failure of ours. */
		if (err > 0)
			err = 0;
	}
	rcu_read_unlock();
	local_bh_enable();
	return err;
}

void lunatik_stolen_send(void *arg)
{
	struct lunatik_sending *sending = arg;
	struct lunatik_stolen *stolen = sending->stolen;
	struct net *net = lunatik_netns_get(stolen->store->member.netns);

	spin_lock_bh(&stolen->store->lock);
	list_del_init(&stolen->link);
	spin_unlock_bh(&stolen->store->lock);
	sending->err = -ENETDOWN;
	if (net) {
		sending->err = transmit(net, stolen);
		put_net(net);
	}
	release(stolen);
}

/* --- TCP ----------------------------------------------------------------------------------------------------------------------- */

/* Fills in the lengths of the IP header and the checksum of the TCP segment of `tcp_len` bytes. */
static void seal(struct sk_buff *skb, unsigned char *net, struct tcphdr *tcp, unsigned int tcp_len, bool six)
{
	tcp->check = 0;
	if (six) {
		struct ipv6hdr *ip = (struct ipv6hdr *)net;

		ip->payload_len = htons((unsigned char *)tcp + tcp_len - (net + sizeof(*ip)));
		tcp->check = csum_ipv6_magic(&ip->saddr, &ip->daddr, tcp_len, IPPROTO_TCP, csum_partial(tcp, tcp_len, 0));
	} else {
		struct iphdr *ip = (struct iphdr *)net;
		__be16 len = htons((unsigned char *)tcp + tcp_len - net);

		csum_replace2(&ip->check, ip->tot_len, len);
		ip->tot_len = len;
		tcp->check = tcp_v4_check(tcp_len, ip->saddr, ip->daddr, csum_partial(tcp, tcp_len, 0));
	}
	skb->ip_summed = CHECKSUM_NONE;
}

int lunatik_stolen_payload(struct lunatik_packet *p, const char *bytes, unsigned int len)
{
	unsigned int from, net, l4, total;
	struct sk_buff *skb = p->skb;
	bool six;
	int err;

	lunatik_packet_look(p);
	if (!(p->layout.has & LUNATIK_HAS_TCP) || !(p->layout.has & LUNATIK_HAS_PAYLOAD) || skb_is_gso(skb) ||
	    (p->layout.has & LUNATIK_HAS_FRAGMENT && lunatik_computed(&p->layout, LUNATIK_IS_FRAGMENT)))
		return -ENODATA;
	err = lunatik_packet_linear(p, 1);
	if (err)
		return err;
	net = p->base[LUNATIK_BASE_NET] - skb->data;
	l4 = p->layout.l4;
	from = lunatik_computed(&p->layout, LUNATIK_IS_PAYLOAD) - 1;
	six = p->layout.has & LUNATIK_HAS_IP6;
	total = from + len;
	if (len > IP_MAX_MTU || total > IP_MAX_MTU)
		return -EMSGSIZE;
	if (net + total > skb->len && net + total - skb->len > skb_tailroom(skb) &&
	    pskb_expand_head(skb, 0, net + total - skb->len - skb_tailroom(skb), GFP_ATOMIC))
		return -ENOMEM;
	if (net + total > skb->len)
		skb_put(skb, net + total - skb->len);
	else
		__skb_trim(skb, net + total);
	memcpy(skb->data + net + from, bytes, len);
	seal(skb, skb->data + net, (struct tcphdr *)(skb->data + net + l4), total - l4, six);
	p->layout.has = 0;
	return 0;
}

/* Makes the reply: from the receiver of the packet to its sender. */
static struct sk_buff *make_reply(const struct lunatik_packet *p, const char *bytes, unsigned int len)
{
	const struct tcphdr *other = (const struct tcphdr *)p->base[LUNATIK_BASE_TRANSPORT];
	const unsigned char *net = p->base[LUNATIK_BASE_NET];
	bool six = p->layout.has & LUNATIK_HAS_IP6;
	unsigned int header = six ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + header + sizeof(struct tcphdr) + len, GFP_ATOMIC);
	struct tcphdr *tcp;

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	if (six) {
		struct ipv6hdr *ip = skb_put_zero(skb, sizeof(*ip));
		const struct ipv6hdr *old = (const struct ipv6hdr *)net;

		ip->version = 6;
		ip->nexthdr = IPPROTO_TCP;
		ip->hop_limit = 64;
		ip->saddr = old->daddr;
		ip->daddr = old->saddr;
		skb->protocol = htons(ETH_P_IPV6);
	} else {
		struct iphdr *ip = skb_put_zero(skb, sizeof(*ip));
		const struct iphdr *old = (const struct iphdr *)net;

		ip->version = 4;
		ip->ihl = sizeof(*ip) / 4;
		ip->id = htons(get_random_u16());
		ip->protocol = IPPROTO_TCP;
		ip->ttl = 64;
		ip->saddr = old->daddr;
		ip->daddr = old->saddr;
		ip_send_check(ip);
		skb->protocol = htons(ETH_P_IP);
	}
	skb_set_transport_header(skb, header);
	tcp = skb_put_zero(skb, sizeof(*tcp));
	tcp->source = other->dest;
	tcp->dest = other->source;
	tcp->doff = sizeof(*tcp) / 4;
	tcp->seq = other->ack ? other->ack_seq : 0;
	tcp->ack_seq = htonl(ntohl(other->seq) + other->syn + other->fin +
			     lunatik_computed(&p->layout, LUNATIK_IS_PAYLOAD_LEN));
	tcp->window = htons(0xffff);
	tcp->ack = 1;
	tcp->psh = 1;
	skb_put_data(skb, bytes, len);
	seal(skb, skb_network_header(skb), tcp, sizeof(*tcp) + len, six);
	skb->mark = ((const struct sk_buff *)p->skb)->mark;
	return skb;
}

int lunatik_packet_tcpreply(struct lunatik_packet *p, const char *bytes, unsigned int len)
{
	struct lunatik_stolen *reply;
	int err = -ENOMEM;

	if (!p->layout.has)
		lunatik_packet_look(p);
	if (!p->store)
		return -ENETDOWN;
	if (!(p->layout.has & LUNATIK_HAS_TCP) || !(p->layout.has & LUNATIK_HAS_PAYLOAD) ||
	    ((const struct tcphdr *)p->base[LUNATIK_BASE_TRANSPORT])->rst)
		return -ENODATA;
	if (len > IP_MAX_MTU - sizeof(struct ipv6hdr) - sizeof(struct tcphdr))
		return -EMSGSIZE;
	reply = kzalloc(sizeof(*reply), GFP_ATOMIC);
	if (!reply)
		return -ENOMEM;
	reply->then = REPLY;
	reply->skb = make_reply(p, bytes, len);
	if (reply->skb) {
		/* To connection tracking it is the reply's direction. */
		if (!p->stolen || !lunatik_stolen_is_cut(p->stolen))
			nf_ct_attach(reply->skb, p->skb);
		err = enter(p->store, reply, &((struct lunatik_store *)p->store)->leaving);
	}
	if (err) {
		kfree_skb(reply->skb);
		kfree(reply);
	}
	return err;
}

/* Finds the way of a reply and sends it. Process context. */
static int reply_out(struct net *net, struct sk_buff *skb)
{
	struct dst_entry *dst;

	if (skb->protocol == htons(ETH_P_IPV6)) {
#if IS_ENABLED(CONFIG_IPV6)
		struct flowi6 fl6 = {
			.daddr = ipv6_hdr(skb)->daddr,
			.saddr = ipv6_hdr(skb)->saddr,
			.flowi6_proto = IPPROTO_TCP,
			.flowi6_mark = skb->mark,
			.flowi6_flags = FLOWI_FLAG_ANYSRC,
		};

		dst = ip6_route_output(net, NULL, &fl6);
		if (dst->error) {
			dst_release(dst);
			kfree_skb(skb);
			return -ENETUNREACH;
		}
#else
		kfree_skb(skb);
		return -EAFNOSUPPORT;
#endif
	} else {
		struct flowi4 fl4 = {
			.daddr = ip_hdr(skb)->daddr,
			.saddr = ip_hdr(skb)->saddr,
			.flowi4_proto = IPPROTO_TCP,
			.flowi4_mark = skb->mark,
			.flowi4_flags = FLOWI_FLAG_ANYSRC,
		};
		struct rtable *rt = ip_route_output_key(net, &fl4);

		if (IS_ERR(rt)) {
			kfree_skb(skb);
			return PTR_ERR(rt);
		}
		dst = &rt->dst;
	}
	skb_dst_set(skb, dst);
	skb->dev = dst->dev;
	skb->ignore_df = 1;
	local_bh_disable();
	if (skb->protocol == htons(ETH_P_IPV6))
		ip6_local_out(net, NULL, skb);
	else
		ip_local_out(net, NULL, skb);
	local_bh_enable();
	return 0;
}
