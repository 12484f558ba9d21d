// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a packet costs at netfilter's hooks: gives one packet to those of the writer's network namespace again and again,
 * for selftests/bench/packets.py.
 *
 * A write of `TIMES LENGTH [hook]` to <debugfs>/klua_packets makes a UDP datagram of LENGTH bytes over IPv4 from
 * 10.0.0.1:40000 to 10.0.0.2:53, takes it through the IPv4 input hooks TIMES times with bottom halves off, as a packet that
 * comes is, and frees it; with `hook`, an empty hook in C is among them. It fails with ECANCELED when one did not accept it.
 * A read gives the nanoseconds that all of it took.
 */
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/ip.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/net_namespace.h>

#define LONGEST		64
#define MOST		1000000
#define HEADERS		(sizeof(struct iphdr) + sizeof(struct udphdr))

static DEFINE_MUTEX(lock);
static u64 took;
static struct dentry *file;

static unsigned int empty(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

static const struct nf_hook_ops empty_ops = {
	.hook = empty,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_LOCAL_IN,
	.priority = NF_IP_PRI_FILTER,
};

static struct sk_buff *make_packet(struct net *net, unsigned int payload)
{
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + HEADERS + payload, GFP_KERNEL);
	struct iphdr *ip;
	struct udphdr *udp;
	unsigned int i;
	u8 *bytes;

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	ip = skb_put_zero(skb, sizeof(*ip));
	skb_set_transport_header(skb, sizeof(*ip));
	udp = skb_put_zero(skb, sizeof(*udp));
	bytes = skb_put(skb, payload);
	for (i = 0; i < payload; i++)
		bytes[i] = 'a' + i % 26;
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->ttl = 64;
	ip->protocol = IPPROTO_UDP;
	ip->tot_len = htons(HEADERS + payload);
	ip->saddr = htonl(0x0a000001);
	ip->daddr = htonl(0x0a000002);
	ip_send_check(ip);
	udp->source = htons(40000);
	udp->dest = htons(53);
	udp->len = htons(sizeof(*udp) + payload);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = net->loopback_dev;
	skb->skb_iif = skb->dev->ifindex;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->pkt_type = PACKET_HOST;
	return skb;
}

static int measure(struct net *net, unsigned int times, unsigned int payload)
{
	struct sk_buff *skb = make_packet(net, payload);
	unsigned int i;
	u64 began;

	if (!skb)
		return -ENOMEM;
	local_bh_disable();
	began = ktime_get_ns();
	for (i = 0; i < times; i++) {
		if (nf_hook(NFPROTO_IPV4, NF_INET_LOCAL_IN, net, NULL, skb, skb->dev, NULL, NULL) != 1) {
			/* It is the hooks' now. */
			local_bh_enable();
			return -ECANCELED;
		}
	}
	took = ktime_get_ns() - began;
	local_bh_enable();
	kfree_skb(skb);
	return 0;
}

static ssize_t packets_write(struct file *unused, const char __user *from, size_t len, loff_t *pos)
{
	struct net *net = current->nsproxy->net_ns;
	const char *times_text, *length_text;
	unsigned int times, length;
	char *line, *rest;
	bool hook;
	int result;

	if (len > LONGEST)
		return -E2BIG;
	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	rest = strim(line);
	times_text = strsep(&rest, " ");
	length_text = strsep(&rest, " ");
	hook = rest && !strcmp(rest, "hook");
	if (!length_text || kstrtouint(times_text, 10, &times) || !times || times > MOST ||
	    kstrtouint(length_text, 10, &length) || length < HEADERS || length > 1500 || (rest && !hook)) {
		result = -EPROTO;
	} else {
		mutex_lock(&lock);
		result = hook ? nf_register_net_hook(net, &empty_ops) : 0;
		if (!result) {
			result = measure(net, times, length - HEADERS);
			if (hook)
				nf_unregister_net_hook(net, &empty_ops);
		}
		mutex_unlock(&lock);
	}
	kfree(line);
	return result ?: len;
}

static ssize_t packets_read(struct file *unused, char __user *to, size_t len, loff_t *pos)
{
	char text[24];
	int n;

	mutex_lock(&lock);
	n = scnprintf(text, sizeof(text), "%llu\n", took);
	mutex_unlock(&lock);
	return simple_read_from_buffer(to, len, pos, text, n);
}

static const struct file_operations packets_fops = {
	.owner = THIS_MODULE,
	.read = packets_read,
	.write = packets_write,
	.llseek = default_llseek,
};

static int __init klua_packets_init(void)
{
	file = debugfs_create_file("klua_packets", 0600, NULL, NULL, &packets_fops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit klua_packets_exit(void)
{
	debugfs_remove(file);
}

module_init(klua_packets_init);
module_exit(klua_packets_exit);
MODULE_AUTHOR("The lunatik authors");
MODULE_DESCRIPTION("Costs of packets at netfilter's hooks");
MODULE_LICENSE("GPL");
