// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the packet object (src/lua/packet.c) reads from a packet.
 *
 * Context: in a hook, under the state's lock.
 */
#include <linux/skbuff.h>

/* Bytes of the packet, from where the hook sees it. */
unsigned int lunatik_skb_len(const struct sk_buff *skb);

unsigned int lunatik_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}
