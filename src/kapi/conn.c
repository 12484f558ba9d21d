// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections, where connection tracking is there: nf_conntrack may be a module, and lunatik does not need it.
 *
 * Its symbols are looked up at each use, which holds that module as long as it takes. Context: under the state's lock, or
 * wherever bottom halves are off.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_acct.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_tuple.h>
#include <net/netfilter/nf_conntrack_zones.h>

#include "../lua/packet.h"
#include "kapi.h"
#include "netns.h"
#include "packet.h"

u32 lunatik_conn_id(const struct nf_conn *ct)
{
	const struct nf_ct_hook *hook;
	u32 id = 0;

	rcu_read_lock();
	hook = rcu_dereference(nf_ct_hook);
	if (hook && hook->get_id)
		id = hook->get_id(&ct->ct_general);
	rcu_read_unlock();
	return id;
}

static void make_tuple(const struct lunatik_conn *conn, struct nf_conntrack_tuple *tuple)
{
	memset(tuple, 0, sizeof(*tuple));
	tuple->src.l3num = conn->family == 6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	memcpy(&tuple->src.u3, conn->saddr, conn->family == 6 ? 16 : 4);
	memcpy(&tuple->dst.u3, conn->daddr, conn->family == 6 ? 16 : 4);
	tuple->dst.protonum = conn->protocol;
	tuple->src.u.all = htons(conn->sport);
	tuple->dst.u.all = htons(conn->dport);
}

static int read_traffic(const struct nf_conn *ct, struct lunatik_conn *conn)
{
	struct nf_conn_acct *acct = nf_conn_acct_find(ct);
	int dir;

	if (!acct)
		return -ENODATA;
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++) {
		conn->packets[dir] = atomic64_read(&acct->counter[dir].packets);
		conn->bytes[dir] = atomic64_read(&acct->counter[dir].bytes);
	}
	return 0;
}

int lunatik_conn_find(struct lunatik_netns *netns, struct lunatik_conn *conn, int traffic)
{
	typeof(&nf_conntrack_find_get) find;
	struct nf_conntrack_tuple_hash *found;
	struct nf_conntrack_tuple tuple;
	struct nf_conn *ct;
	struct net *net;
	int err = -ENOENT;

	find = symbol_get(nf_conntrack_find_get);
	if (!find)
		return -EOPNOTSUPP;
	net = lunatik_netns_get(netns);
	if (net) {
		make_tuple(conn, &tuple);
		rcu_read_lock();
		found = find(net, &nf_ct_zone_dflt, &tuple);
		if (found) {
			ct = nf_ct_tuplehash_to_ctrack(found);
			conn->id = lunatik_conn_id(ct);
			err = traffic ? read_traffic(ct, conn) : 0;
			nf_ct_put(ct);
		}
		rcu_read_unlock();
		put_net(net);
	}
	symbol_put(nf_conntrack_find_get);
	return err;
}
