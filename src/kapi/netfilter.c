// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel half of the netfilter library: hooks in the network namespace of a state (src/lua/netfilter.c).
 *
 * A hook is a member of the state's namespace (netns.c): it leaves when nobody has it any more, when the state ends
 * or when the namespace goes. A hook on a device leaves with the device, too, and holds no reference to it: while it is
 * registered, the device has not finished to go.
 *
 * Locks: rtnl, where a device is looked up and goes, then `hooks_lock`, which guards what is registered. Packets come in
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

struct kernel_hook {
	struct lunatik_hook hook;
	struct lunatik_member member;
	struct nf_hook_ops ops;
	struct net *net;
	struct list_head link;		/* in `on_devices`, if it is on one */
	bool registered;
};

static DEFINE_MUTEX(hooks_lock);
static LIST_HEAD(on_devices);

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
	struct kernel_hook *h = priv;
	struct lunatik_packet_run run;
	struct lunatik_route route;
	unsigned int verdict;

	if (!READ_ONCE(h->hook.live))
		return NF_ACCEPT;
	if (h->hook.key.device[0] && !h->ops.dev && !is_for(&h->hook, state))
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

/* Under `hooks_lock`. */
static void unregister(struct kernel_hook *h)
{
	if (!h->registered)
		return;
	nf_unregister_net_hook(h->net, &h->ops);
	h->registered = false;
	list_del_init(&h->link);
}

static void leave(struct lunatik_member *member)
{
	mutex_lock(&hooks_lock);
	WRITE_ONCE(hook_of(member)->hook.gone, 1);
	unregister(hook_of(member));
	mutex_unlock(&hooks_lock);
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

/* Registers it and makes it a member of the namespace; a negative errno. */
static int enter(struct kernel_hook *h, struct lunatik_netns *netns)
{
	int err;

	mutex_lock(&hooks_lock);
	err = nf_register_net_hook(h->net, &h->ops);
	if (!err) {
		h->registered = true;
		if (h->ops.dev)
			list_add_tail(&h->link, &on_devices);
	}
	mutex_unlock(&hooks_lock);
	if (!err && !lunatik_member_join(&h->member, netns)) {
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
	INIT_LIST_HEAD(&h->link);
	h->hook.key = *key;
	h->hook.vm = request->vm;
	h->net = net;
	h->ops.hook = packet;
	h->ops.priv = h;
	h->ops.pf = key->family;
	h->ops.hooknum = key->number;
	h->ops.priority = key->priority;
	if (on_device) {
		rtnl_lock();
		h->ops.dev = __dev_get_by_name(net, key->device);
	}
	request->error = on_device && !h->ops.dev ? -ENODEV : enter(h, request->netns);
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

	lunatik_member_retire(&h->member);
	lunatik_member_put(&h->member);
}

/* The hooks of a device leave with it, and for good. Under rtnl. */
static int device_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct kernel_hook *h, *next;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	mutex_lock(&hooks_lock);
	list_for_each_entry_safe(h, next, &on_devices, link) {
		if (h->ops.dev != dev)
			continue;
		WRITE_ONCE(h->hook.gone, 1);
		unregister(h);
		/* In this list it has not left: the state has not ended. */
		lunatik_member_retire(&h->member);
	}
	mutex_unlock(&hooks_lock);
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
