/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a state has in its network namespace (netns.c): the head of a hook and of a socket.
 */
#ifndef LUNATIK_NETNS_H
#define LUNATIK_NETNS_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct lunatik_member;
struct lunatik_netns;
struct net;

struct lunatik_member_ops {
	/* Undoes what it has in the namespace, which still lives. Process context, no locks, may sleep; called once. */
	void (*leave)(struct lunatik_member *member);
	/* The last reference is gone, a grace period of RCU after `leave`. Must not sleep. */
	void (*free)(struct lunatik_member *member);
	/* Nobody uses it without a reference: there is no grace period. */
	bool counted;
};

struct lunatik_member {
	struct list_head link, away;
	struct lunatik_netns *netns;	/* where it joined; NULL before */
	const struct lunatik_member_ops *ops;
	struct work_struct work;
	refcount_t refs;
};

void lunatik_member_init(struct lunatik_member *member, const struct lunatik_member_ops *ops);
void lunatik_member_get(struct lunatik_member *member);
void lunatik_member_put(struct lunatik_member *member);
bool lunatik_member_join(struct lunatik_member *member, struct lunatik_netns *netns);
bool lunatik_member_retire(struct lunatik_member *member);
bool lunatik_member_leave(struct lunatik_member *member);
struct net *lunatik_netns_get(struct lunatik_netns *netns);
int lunatik_netns_take_socket(struct lunatik_netns *netns);
void lunatik_netns_give_socket(struct lunatik_netns *netns);

#endif
