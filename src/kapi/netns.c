// SPDX-License-Identifier: GPL-2.0-only
/*
 * The network namespace of a state, and what the state has in it: hooks and sockets, its members.
 *
 * A namespace is never pinned: when it goes, and when the state does, its members leave (are unhooked, closed)
 * before anything is freed. A member has its creator's reference and, while it is in the list, the list's. Who takes
 * it out of the list has it leave, in process context, once; its memory goes after a grace period of RCU, so a hook
 * needs no reference while it runs.
 *
 * Locks: `all_lock` (sleeping) guards the list of namespaces and is held while members leave because a namespace
 * goes; the spinlock of a namespace is innermost, bottom halves off.
 */
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "kapi.h"
#include "netns.h"

struct lunatik_netns {
	spinlock_t lock;
	struct net *net;		/* no reference; NULL when it is gone or the state ends */
	struct list_head members;
	unsigned int leaving;		/* members that leave one by one */
	unsigned int sockets;		/* open in the state */
	unsigned int handle;		/* of the last socket */
	wait_queue_head_t left;
	struct list_head link;		/* in `all` */
};

static LIST_HEAD(all);
static DEFINE_MUTEX(all_lock);

static void retire(struct work_struct *work);

/* A member that is nowhere, with one reference. Any context. */
void lunatik_member_init(struct lunatik_member *member, const struct lunatik_member_ops *ops)
{
	INIT_LIST_HEAD(&member->link);
	INIT_WORK(&member->work, retire);
	member->netns = NULL;
	member->ops = ops;
	refcount_set(&member->refs, 1);
}

void lunatik_member_get(struct lunatik_member *member)
{
	refcount_inc(&member->refs);
}

/* Any context; `free` must not sleep. */
void lunatik_member_put(struct lunatik_member *member)
{
	if (refcount_dec_and_test(&member->refs))
		member->ops->free(member);
}

/* Makes it a member; false when the namespace is gone or the state ends. Any context but hard interrupt. */
bool lunatik_member_join(struct lunatik_member *member, struct lunatik_netns *netns)
{
	bool open;

	spin_lock_bh(&netns->lock);
	open = netns->net;
	if (open) {
		member->netns = netns;
		lunatik_member_get(member);
		list_add_tail(&member->link, &netns->members);
	}
	spin_unlock_bh(&netns->lock);
	return open;
}

/* Has a member leave that is out of the list, and counts among those that do. Sleeps. */
static void leave(struct lunatik_member *member)
{
	struct lunatik_netns *netns = member->netns;

	member->ops->leave(member);
	if (!member->ops->counted)
		synchronize_rcu();
	lunatik_member_put(member);
	spin_lock_bh(&netns->lock);
	/* Under the lock: who waits frees the namespace. */
	if (--netns->leaving == 0)
		wake_up_all(&netns->left);
	spin_unlock_bh(&netns->lock);
}

static void retire(struct work_struct *work)
{
	leave(container_of(work, struct lunatik_member, work));
}

/*
 * Has a member leave soon; false when it is none any more. The caller's own reference stays. Any context but hard
 * interrupt; the state has not ended.
 */
bool lunatik_member_retire(struct lunatik_member *member)
{
	struct lunatik_netns *netns = member->netns;
	bool was;

	if (!netns)
		return false;
	spin_lock_bh(&netns->lock);
	was = !list_empty(&member->link);
	if (was) {
		list_del_init(&member->link);
		netns->leaving++;
		queue_work(lunatik_workqueue(), &member->work);
	}
	spin_unlock_bh(&netns->lock);
	return was;
}

/* The same here and now. Sleeps. */
bool lunatik_member_leave(struct lunatik_member *member)
{
	struct lunatik_netns *netns = member->netns;
	bool was;

	spin_lock_bh(&netns->lock);
	was = !list_empty(&member->link);
	if (was) {
		list_del_init(&member->link);
		netns->leaving++;
	}
	spin_unlock_bh(&netns->lock);
	if (was)
		leave(member);
	return was;
}

/* One more open socket: its number, or -EMFILE. Any context but hard interrupt. */
int lunatik_netns_take_socket(struct lunatik_netns *netns)
{
	int handle = -EMFILE;

	spin_lock_bh(&netns->lock);
	if (netns->sockets < lunatik_maxsockets) {
		netns->sockets++;
		netns->handle = netns->handle == INT_MAX ? 1 : netns->handle + 1;
		handle = netns->handle;
	}
	spin_unlock_bh(&netns->lock);
	return handle;
}

/* One less. */
void lunatik_netns_give_socket(struct lunatik_netns *netns)
{
	spin_lock_bh(&netns->lock);
	netns->sockets--;
	spin_unlock_bh(&netns->lock);
}

/* Nobody joins from now on; all members leave. Sleeps. */
static void close_members(struct lunatik_netns *netns)
{
	struct lunatik_member *member, *next;
	bool counted = true;
	LIST_HEAD(members);

	spin_lock_bh(&netns->lock);
	netns->net = NULL;
	/* One by one: to be in no list is to have left. */
	while (!list_empty(&netns->members)) {
		member = list_first_entry(&netns->members, struct lunatik_member, link);
		list_del_init(&member->link);
		list_add_tail(&member->away, &members);
	}
	spin_unlock_bh(&netns->lock);
	list_for_each_entry(member, &members, away) {
		member->ops->leave(member);
		counted &= member->ops->counted;
	}
	if (!counted)
		synchronize_rcu();
	list_for_each_entry_safe(member, next, &members, away)
		lunatik_member_put(member);
	wait_event(netns->left, !READ_ONCE(netns->leaving));
	/* The last one may still be inside its lock. */
	spin_lock_bh(&netns->lock);
	spin_unlock_bh(&netns->lock);
}

/*
 * The namespace of another state, or without one that of the current task, for a state that it makes; NULL when memory
 * is out. Process context.
 */
struct lunatik_netns *lunatik_netns_new(struct lunatik_netns *from)
{
	struct lunatik_netns *netns = kzalloc(sizeof(*netns), GFP_KERNEL_ACCOUNT);

	if (!netns)
		return NULL;
	lunatik_spin_init(&netns->lock, LUNATIK_LOCK_QUEUE);
	INIT_LIST_HEAD(&netns->members);
	init_waitqueue_head(&netns->left);
	mutex_lock(&all_lock);
	/* In the list, under the lock, it is not gone; one that is not there is ending. */
	if (from)
		netns->net = list_empty(&from->link) ? NULL : READ_ONCE(from->net);
	else
		netns->net = current->nsproxy ? current->nsproxy->net_ns : &init_net;
	list_add_tail(&netns->link, &all);
	mutex_unlock(&all_lock);
	return netns;
}

/* The state ends: its members leave, and nobody joins any more. Sleeps; once or more often. */
void lunatik_netns_close(struct lunatik_netns *netns)
{
	mutex_lock(&all_lock);
	if (!list_empty(&netns->link))
		list_del_init(&netns->link);
	mutex_unlock(&all_lock);
	close_members(netns);
}

/* It was closed. Any context. */
void lunatik_netns_free(struct lunatik_netns *netns)
{
	kfree(netns);
}

/* A reference to the namespace for as long as something is made in it; NULL when it is gone. Any context but hard interrupt. */
struct net *lunatik_netns_get(struct lunatik_netns *netns)
{
	struct net *net;

	spin_lock_bh(&netns->lock);
	net = netns->net ? maybe_get_net(netns->net) : NULL;
	spin_unlock_bh(&netns->lock);
	return net;
}

static void net_exit(struct net *net)
{
	struct lunatik_netns *netns;

	mutex_lock(&all_lock);
	list_for_each_entry(netns, &all, link) {
		if (READ_ONCE(netns->net) == net)
			close_members(netns);
	}
	mutex_unlock(&all_lock);
}

static struct pernet_operations net_ops = { .exit = net_exit };

int lunatik_netns_init(void)
{
	return register_pernet_subsys(&net_ops);
}

void lunatik_netns_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
