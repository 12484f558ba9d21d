/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the two halves of the socket layer share: src/lua/socket.c and src/kapi/socket.c. It needs neither Lua's headers nor
 * the kernel's.
 */
#ifndef LUNATIK_SOCK_H
#define LUNATIK_SOCK_H

struct lunatik_event;
struct lunatik_netns;
struct lunatik_queue;
struct lunatik_sock;

/* An address as bind(2) takes it: a struct sockaddr_in, sockaddr_in6 or sockaddr_un. */
struct lunatik_address {
	int len;		/* 0 for none */
	unsigned char raw[128] __attribute__((aligned(8)));
};

enum lunatik_sock_op {
	LUNATIK_SOCK_CREATE,	/* family, type, protocol -> *made */
	LUNATIK_SOCK_PAIR,	/* type -> made, other: a pair of Unix sockets */
	LUNATIK_SOCK_BIND,	/* address */
	LUNATIK_SOCK_LISTEN,	/* value: the backlog */
	LUNATIK_SOCK_CONNECT,	/* address; -EINPROGRESS, then to be called again; -EAGAIN: a Unix socket's queue is full */
	LUNATIK_SOCK_ACCEPT,	/* -> made */
	LUNATIK_SOCK_SEND,	/* bytes, len, flags, address if any -> count */
	LUNATIK_SOCK_RECV,	/* bytes, len, want, flags -> count, address if there is a place for it; or -ENOBUFS, need */
	LUNATIK_SOCK_SET,	/* level, option, bytes, len */
	LUNATIK_SOCK_GET,	/* level, option, bytes, len -> the length of what was got */
	LUNATIK_SOCK_NAME,	/* -> address */
	LUNATIK_SOCK_PEER,	/* -> address */
	LUNATIK_SOCK_SHUTDOWN,	/* value: SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2 */
	LUNATIK_SOCK_ATMARK,	/* -> 0 or 1 */
	LUNATIK_SOCK_READY,	/* -> LUNATIK_SOCK_IN and _OUT: what can be done now */
	LUNATIK_SOCK_IFINDEX,	/* bytes, len: the name of an interface of its namespace -> its number, or -ENODEV */
	LUNATIK_SOCK_IFNAME,	/* value -> the length of the name in bytes, which has room for 16 */
	LUNATIK_SOCK_CLOSE,	/* value: shut both halves down before, and say how that went */
};

/* What a wait is for. */
#define LUNATIK_SOCK_IN		1U
#define LUNATIK_SOCK_OUT	2U

/* One call: what is to be done, and what came of it. It lies on the C stack of who calls. */
struct lunatik_sockcall {
	struct lunatik_sock *sock;	/* the caller's reference */
	enum lunatik_sock_op op;
	void (*run)(void *call);	/* what the call-out calls; NULL: lunatik_sock_run */
	long result;			/* 0 or a count, or a negative errno */
	struct lunatik_address *address;
	char *bytes;
	unsigned long len;
	unsigned long want;		/* RECV: this many bytes at most; `len` of them have room */
	unsigned long need;		/* RECV, after -ENOBUFS: this much room, not more than `want`, takes all there is now */
	int family, type, protocol;
	int level, option, value, flags;
	struct lunatik_sock *made, *other;	/* with a reference each */
	struct lunatik_netns *netns;	/* of the state: CREATE, PAIR */
	struct lunatik_queue *queue;
	/* If it cannot be done yet (-EAGAIN, -EINPROGRESS, -EALREADY): */
	struct lunatik_event *watch;	/* fires when it may be tried again; NULL: nobody waits */
	unsigned int wait;		/* LUNATIK_SOCK_IN or _OUT; 0: it never waits */
	int keeper;			/* index of a userdata whose user value keeps the watch for the next time; or 0 */
	int again;			/* it has waited: nobody else comes before it */
	int watched;			/* the watch was put to the socket: it must be armed */
	int blind;			/* nothing will fire it: it is to be tried again after a while */
};

/* Does it, in process context; it may sleep, but does not wait for the network. */
void lunatik_sock_run(void *call);

/* Gives a reference back. Any context. The last one goes when the socket is closed. */
void lunatik_sock_put(struct lunatik_sock *sock);
void lunatik_sock_get(struct lunatik_sock *sock);

/* Has it closed soon, if it is open. Any context but hard interrupt. */
void lunatik_sock_retire(struct lunatik_sock *sock);

/* Has the next who waits for a bit of `wait` try. Any context. */
void lunatik_sock_pass(struct lunatik_sock *sock, unsigned int wait);

/* Its number in the state, from 1. */
int lunatik_sock_handle(const struct lunatik_sock *sock);

/* Nanoseconds of the monotonic clock. */
unsigned long long lunatik_sock_clock(void);

#endif
