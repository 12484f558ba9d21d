// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of the sockets of a state.
 *
 * Setting one is setsockopt(2). Reading one is getsockopt(2) for the socket level only: the protocols write to user space
 * alone, so what is known of theirs is read from where they keep it. Context: process context, under the object's lock.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/sockptr.h>
#include <net/af_unix.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "socket.h"

int lunatik_sock_set(struct socket *socket, struct lunatik_sockcall *c)
{
	return do_sock_setsockopt(socket, false, c->level, c->option, KERNEL_SOCKPTR(c->bytes), c->len);
}

static long tcp_option(struct sock *sk, int option)
{
	struct tcp_sock *tp = tcp_sk(sk);

	switch (option) {
	case TCP_NODELAY:
		return !!(tp->nonagle & TCP_NAGLE_OFF);
	case TCP_CORK:
		return !!(tp->nonagle & TCP_NAGLE_CORK);
	case TCP_KEEPIDLE:
		return keepalive_time_when(tp) / HZ;
	case TCP_KEEPINTVL:
		return keepalive_intvl_when(tp) / HZ;
	case TCP_KEEPCNT:
		return keepalive_probes(tp);
	default:
		return -ENOPROTOOPT;
	}
}

static long ip_option(struct sock *sk, int option)
{
	switch (option) {
	case IP_MULTICAST_LOOP:
		return inet_test_bit(MC_LOOP, sk);
	case IP_MULTICAST_TTL:
		return READ_ONCE(inet_sk(sk)->mc_ttl);
	case IP_MULTICAST_IF:
		return READ_ONCE(inet_sk(sk)->mc_index);
	default:
		return -ENOPROTOOPT;
	}
}

static long ipv6_option(struct sock *sk, int option)
{
	switch (option) {
	case IPV6_MULTICAST_LOOP:
		return inet6_test_bit(MC6_LOOP, sk);
	case IPV6_MULTICAST_HOPS:
		return READ_ONCE(inet6_sk(sk)->mcast_hops);
	case IPV6_MULTICAST_IF:
		return READ_ONCE(inet6_sk(sk)->mcast_oif);
	case IPV6_V6ONLY:
		return ipv6_only_sock(sk);
	default:
		return -ENOPROTOOPT;
	}
}

long lunatik_sock_option(struct socket *socket, struct lunatik_sockcall *c)
{
	struct sock *sk = socket->sk;
	int len = c->len, value;
	long got = -EOPNOTSUPP;

	if (c->level == SOL_SOCKET) {
		got = do_sock_getsockopt(socket, false, c->level, c->option, KERNEL_SOCKPTR(c->bytes),
					 KERNEL_SOCKPTR(&len));
		return got ? got : len;
	}
	if (c->level == IPPROTO_TCP && sk_is_tcp(sk))
		got = tcp_option(sk, c->option);
	else if (c->level == IPPROTO_IP && sk->sk_family == AF_INET)
		got = ip_option(sk, c->option);
	else if (c->level == IPPROTO_IPV6 && sk->sk_family == AF_INET6)
		got = ipv6_option(sk, c->option);
	if (got < 0)
		return got;
	value = got;
	if (len < sizeof(value))
		return -EINVAL;
	memcpy(c->bytes, &value, sizeof(value));
	return sizeof(value);
}

#if IS_ENABLED(CONFIG_AF_UNIX_OOB)
static int unix_atmark(struct sock *sk)
{
	struct unix_sock *u = unix_sk(sk);
	struct sk_buff *first;
	int marked = 0;

	mutex_lock(&u->iolock);
	spin_lock(&sk->sk_receive_queue.lock);
	first = skb_peek(&sk->sk_receive_queue);
	if (first)
		marked = first == READ_ONCE(u->oob_skb);
	spin_unlock(&sk->sk_receive_queue.lock);
	mutex_unlock(&u->iolock);
	return marked;
}
#else
static int unix_atmark(struct sock *sk)
{
	return 0;
}
#endif

/* 0 or 1, or -ENOTTY where there is no such mark. */
int lunatik_sock_atmark(struct socket *socket)
{
	struct sock *sk = socket->sk;

	if (sk_is_tcp(sk)) {
		struct tcp_sock *tp = tcp_sk(sk);

		return READ_ONCE(tp->urg_data) && READ_ONCE(tp->urg_seq) == READ_ONCE(tp->copied_seq);
	}
	if (sk->sk_family != AF_UNIX)
		return -ENOTTY;
	return sk->sk_type == SOCK_STREAM ? unix_atmark(sk) : -EOPNOTSUPP;
}

int lunatik_sock_ifindex(struct socket *socket, struct lunatik_sockcall *c)
{
	struct net_device *dev;
	char name[IFNAMSIZ] = "";
	int index = -ENODEV;

	if (c->len >= sizeof(name))
		return -ENODEV;
	memcpy(name, c->bytes, c->len);
	rcu_read_lock();
	dev = dev_get_by_name_rcu(sock_net(socket->sk), name);
	if (dev)
		index = dev->ifindex;
	rcu_read_unlock();
	return index;
}

int lunatik_sock_ifname(struct socket *socket, struct lunatik_sockcall *c)
{
	struct net_device *dev;
	int len = -ENODEV;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(sock_net(socket->sk), c->value);
	if (dev)
		len = strscpy(c->bytes, dev->name, min_t(size_t, c->len, IFNAMSIZ));
	rcu_read_unlock();
	return len;
}
