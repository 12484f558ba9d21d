/* SPDX-License-Identifier: GPL-2.0-only */
/* A captured frame, where the packet object of the module expects a struct sk_buff. */
#ifndef LUNATIK_CHECK_PACKETS_H
#define LUNATIK_CHECK_PACKETS_H

#include <stddef.h>

struct frame {
	unsigned char *bytes;
	size_t len, net;		/* the network header lies at `net` */
	unsigned short protocol;	/* its Ethernet number */
	int ethernet;			/* the frame begins with an Ethernet header */
	unsigned int hook;
	const char *hook_name;
};

#endif
