// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel half of the netfilter library: hooks in the network namespace of a state (src/lua/netfilter.c).
 *
 * A hook is a member of the state's namespace (netns.c): it leaves when nobody has it any more, when the state ends
 * or when the namespace goes. The interpreters of one state have the same place in the kernel, which asks for the
 * processor once a packet, so that exactly one of them decides. A place on a device is left with the device, too, and
 * holds no reference to it: while it is registered, the device has not finished to go.
 *
 * Locks: rtnl, where a device is looked up and goes, then `places_lock`, which guards what is registered. Packets come in
 * softirq or process context, inside an RCU read section; a hook's memory goes a grace period after it has left.
 */
#include <linux/irqflags.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "kapi.h"
#include "netns.h"
#include "packet.h"
#include "../lua/netfilter.h"

struct place;

struct kernel_hook {
	struct lunatik_hook hook;
	struct lunatik_member member;
	struct place *place;		/* NULL once it has left */
	unsigned int interpreter;
	bool unused;			/* it only has to leave; set without the lock */
};

/* What is registered: for all interpreters of a state. */
struct place {
	struct nf_hook_ops ops;
	struct net *net;
	struct lunatik_hook_key key;
	const void *group;		/* which state's */
	struct list_head link;		/* in `places` */
	struct rcu_head rcu;
	unsigned int users, interpreters;
	struct kernel_hook *hooks[];	/* by interpreter; NULL: it has none here */
};

static DEFINE_MUTEX(places_lock);
static LIST_HEAD(places);

unsigned int lunatik_hook_onerror(const struct lunatik_hook *hook);

/* The verdict for a packet that no function can see. Any context. */
unsigned int lunatik_hook_onerror(const struct lunatik_hook *hook)
{
	return READ_ONCE(hook->drops) ? NF_DROP : NF_ACCEPT;
}

/* A hook that is no device's own, but for the packets of one: by its name, so that it outlives the device. */
static bool is_for(const struct lunatik_hook *hook, const struct nf_hook_state *state)
{
	const struct net_device *dev;

	switch (state->hook) {
	case NF_INET_LOCAL_OUT:
	case NF_INET_POST_ROUTING:
		dev = state->out;
		break;
	default:
		dev = state->in ?: state->out;
	}
	return dev && !strcmp(dev->name, hook->key.device);
}

static unsigned int packet(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct place *place = priv;
	struct lunatik_packet_run run;
	struct kernel_hook *h;
	struct lunatik_route route;
	unsigned int verdict;

	h = READ_ONCE(place->hooks[place->interpreters > 1 ? raw_smp_processor_id() % place->interpreters : 0]);
	if (!h || !READ_ONCE(h->hook.live))
		return NF_ACCEPT;
	if (h->hook.key.device[0] && !place->ops.dev && !is_for(&h->hook, state))
		return NF_ACCEPT;
	/* netpoll sends from wherever something is printed: no place to wait for a lock. */
	if (unlikely(irqs_disabled())) {
		lunatik_packet_missed(h->hook.vm);
		return lunatik_hook_onerror(&h->hook);
	}
	run.hook = &h->hook;
	run.skb = skb;
	run.state = state;
	run.handle = NULL;
	run.verdict = NF_ACCEPT;
	run.failed = 0;
	lunatik_route_note(skb, state, &route);
	verdict = lunatik_packet_enter(h->hook.vm, &run);
	/* What was stolen is a clone: this one is done, and is freed where no lock is held. */
	if (verdict == NF_STOLEN)
		consume_skb(skb);
	else if (verdict == NF_ACCEPT && lunatik_route_renew(skb, state, &route))
		return NF_DROP;
	return verdict;
}

static struct kernel_hook *hook_of(struct lunatik_member *member)
{
	return container_of(member, struct kernel_hook, member);
}

/* Under `places_lock`. */
static void unregister(struct place *place)
{
	nf_unregister_net_hook(place->net, &place->ops);
	list_del(&place->link);
	kfree_rcu(place, rcu);
}

/* Takes the hook out of its place. Under `places_lock`. */
static void leave_place(struct kernel_hook *h)
{
	struct place *place = h->place;

	WRITE_ONCE(h->hook.gone, 1);
	if (!place)
		return;
	h->place = NULL;
	WRITE_ONCE(place->hooks[h->interpreter], NULL);
	if (--place->users == 0)
		unregister(place);
}

static void leave(struct lunatik_member *member)
{
	mutex_lock(&places_lock);
	leave_place(hook_of(member));
	mutex_unlock(&places_lock);
}

static void free_hook(struct lunatik_member *member)
{
	kfree(hook_of(member));
}

static const struct lunatik_member_ops member_ops = { .leave = leave, .free = free_hook };

int lunatik_hook_needs_device(int family, int number)
{
	return family == NFPROTO_NETDEV || (family == NFPROTO_INET && number == NF_INET_INGRESS);
}

static bool is_supported(int family, int number)
{
	switch (family) {
	case NFPROTO_INET:
		return number != NF_INET_INGRESS || IS_ENABLED(CONFIG_NETFILTER_INGRESS);
	case NFPROTO_ARP:
		return IS_ENABLED(CONFIG_NETFILTER_FAMILY_ARP);
	case NFPROTO_BRIDGE:
		return IS_ENABLED(CONFIG_NETFILTER_FAMILY_BRIDGE);
	case NFPROTO_NETDEV:
		return number == NF_NETDEV_EGRESS ? IS_ENABLED(CONFIG_NETFILTER_EGRESS) :
						    IS_ENABLED(CONFIG_NETFILTER_INGRESS);
	default:
		return true;
	}
}

/* A place of the state where this interpreter has no hook that is used. Under `places_lock`. */
static struct place *find_place(const struct lunatik_hook_request *request, const struct net_device *dev)
{
	const struct kernel_hook *h;
	struct place *place;

	list_for_each_entry(place, &places, link) {
		if (place->group != request->group || place->ops.dev != dev ||
		    memcmp(&place->key, &request->key, sizeof(place->key)))
			continue;
		h = place->hooks[request->interpreter];
		if (!h || READ_ONCE(h->unused))
			return place;
	}
	return NULL;
}

/* Registers a place without users; an ERR_PTR. Under `places_lock`. */
static struct place *new_place(const struct lunatik_hook_request *request, struct net *net, struct net_device *dev)
{
	const struct lunatik_hook_key *key = &request->key;
	struct place *place;
	int err;

	place = kzalloc(struct_size(place, hooks, request->interpreters), GFP_KERNEL_ACCOUNT);
	if (!place)
		return ERR_PTR(-ENOMEM);
	place->net = net;
	place->key = *key;
	place->group = request->group;
	place->interpreters = request->interpreters;
	place->ops.hook = packet;
	place->ops.priv = place;
	place->ops.dev = dev;
	place->ops.pf = key->family;
	place->ops.hooknum = key->number;
	place->ops.priority = key->priority;
	err = nf_register_net_hook(net, &place->ops);
	if (err) {
		kfree(place);
		return ERR_PTR(err);
	}
	list_add_tail(&place->link, &places);
	return place;
}

/* Gives the hook its place and makes it a member of the namespace; a negative errno. */
static int enter(struct kernel_hook *h, const struct lunatik_hook_request *request, struct net *net,
		 struct net_device *dev)
{
	struct place *place;
	int err;

	mutex_lock(&places_lock);
	place = find_place(request, dev) ?: new_place(request, net, dev);
	err = PTR_ERR_OR_ZERO(place);
	if (!err) {
		if (place->hooks[h->interpreter])
			place->hooks[h->interpreter]->place = NULL;
		else
			place->users++;
		h->place = place;
		WRITE_ONCE(place->hooks[h->interpreter], h);
	}
	mutex_unlock(&places_lock);
	if (!err && !lunatik_member_join(&h->member, request->netns)) {
		leave(&h->member);
		synchronize_rcu();
		err = -ENETDOWN;
	}
	return err;
}

void lunatik_hook_make(void *arg)
{
	struct lunatik_hook_request *request = arg;
	const struct lunatik_hook_key *key = &request->key;
	bool on_device = lunatik_hook_needs_device(key->family, key->number);
	struct net_device *dev = NULL;
	struct kernel_hook *h;
	struct net *net;

	request->hook = NULL;
	request->error = -EOPNOTSUPP;
	if (!is_supported(key->family, key->number))
		return;
	request->error = -ENETDOWN;
	net = lunatik_netns_get(request->netns);
	if (!net)
		return;
	request->error = -ENOMEM;
	h = kzalloc(sizeof(*h), GFP_KERNEL_ACCOUNT);
	if (!h)
		goto put;
	lunatik_member_init(&h->member, &member_ops);
	h->hook.key = *key;
	h->hook.vm = request->vm;
	h->interpreter = request->interpreter;
	if (on_device) {
		rtnl_lock();
		dev = __dev_get_by_name(net, key->device);
	}
	request->error = on_device && !dev ? -ENODEV : enter(h, request, net, dev);
	if (on_device)
		rtnl_unlock();
	if (request->error)
		lunatik_member_put(&h->member);
	else
		request->hook = &h->hook;
put:
	put_net(net);
}

void lunatik_hook_let_go(struct lunatik_hook *hook)
{
	struct kernel_hook *h = container_of(hook, struct kernel_hook, hook);

	WRITE_ONCE(h->unused, true);
	lunatik_member_retire(&h->member);
	lunatik_member_put(&h->member);
}

/* The hooks of a device leave with it, and for good. Under rtnl. */
static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct place *place, *next;
	unsigned int i;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&places_lock);
	list_for_each_entry_safe(place, next, &places, link) {
		if (place->ops.dev != dev)
			continue;
		/* While one of them is here, its state has not ended. The last one takes the place along. */
		for (i = place->interpreters; i > 0; i--) {
			struct kernel_hook *h = place->hooks[i - 1];
			bool last = h && place->users == 1;

			if (!h)
				continue;
			lunatik_member_retire(&h->member);
			leave_place(h);
			if (last)
				break;
		}
	}
	mutex_unlock(&places_lock);
	return NOTIFY_DONE;
}

static struct notifier_block notifier = { .notifier_call = device_event };

int lunatik_netfilter_init(void)
{
	return register_netdevice_notifier(&notifier);
}

/* No hook is left. */
void lunatik_netfilter_exit(void)
{
	unregister_netdevice_notifier(&notifier);
}
