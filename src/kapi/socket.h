/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What socket.c and sockopt.c share.
 */
#ifndef LUNATIK_KAPI_SOCKET_H
#define LUNATIK_KAPI_SOCKET_H

#include <linux/mutex.h>
#include <linux/wait.h>

#include "netns.h"
#include "watch.h"
#include "../lua/sock.h"

struct socket;

struct lunatik_sock {
	struct lunatik_member member;
	struct lunatik_source source;	/* those who wait */
	struct mutex lock;
	struct socket *socket;		/* NULL when it is closed */
	wait_queue_entry_t entry;	/* in the socket's wait queue while it is open */
	int handle;
	bool closing;			/* nothing is done with it any more */
	struct lunatik_outbox *out;	/* of a stream of the tcp library, with a reference; else NULL */
};

/* What an outbox is told (outbox.c): there is room (interrupts off); it is closed (process context). */
void lunatik_outbox_kick(struct lunatik_outbox *out);
void lunatik_outbox_closed(struct lunatik_outbox *out);

/* 0 or a length, or a negative errno; process context. */
int lunatik_sock_set(struct socket *socket, struct lunatik_sockcall *c);
long lunatik_sock_option(struct socket *socket, struct lunatik_sockcall *c);
int lunatik_sock_atmark(struct socket *socket);
int lunatik_sock_ifindex(struct socket *socket, struct lunatik_sockcall *c);
int lunatik_sock_ifname(struct socket *socket, struct lunatik_sockcall *c);

#endif
