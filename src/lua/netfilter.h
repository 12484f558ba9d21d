/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks on packets: what the Lua half (netfilter.c), the kernel half (src/kapi/netfilter.c) and Rust
 * (src/lua/vm/hook.rs) share.
 *
 * A hook is one of the kernel's netfilter hooks. All functions of a state with the same family, hook, priority and
 * device share it, so what a packet meets there is decided once, under the state's lock.
 */
#ifndef LUNATIK_NETFILTER_H
#define LUNATIK_NETFILTER_H

struct lunatik_netns;
struct lunatik_vm;
struct lunatik_function;

#define LUNATIK_DEVICE_MAX	16	/* with the terminator */

/* The numbers are the kernel's. */
struct lunatik_hook_key {
	int family;
	int number;
	int priority;
	char device[LUNATIK_DEVICE_MAX];	/* empty: any */
};

/* The first part of a hook. Under the state's lock but where it says otherwise. */
struct lunatik_hook {
	struct lunatik_hook_key key;	/* never changes */
	int live;			/* it has functions; read without the lock */
	int drops;			/* one of them has onerror "drop"; read without the lock */
	int gone;			/* its device or namespace went; set without the lock */
	unsigned int users;		/* functions that have it, live or not */
	struct lunatik_vm *vm;
	struct lunatik_hook *next, **link;	/* of the state's hooks */
	struct lunatik_function *first, *last;	/* the live functions, in the order of registration */
	struct lunatik_function *cursor;	/* which of them comes next, while a packet is here */
};

/* A hook to be made. */
struct lunatik_hook_request {
	struct lunatik_hook_key key;
	struct lunatik_netns *netns;
	struct lunatik_vm *vm;
	const void *group;		/* the same for all interpreters of a state */
	unsigned int interpreter, interpreters;
	struct lunatik_hook *hook;	/* the outcome, or NULL and */
	int error;			/* a negative errno */
};

/* {=== what the kernel half provides ========================================================== */

/* Makes a hook in the kernel, for lunatik_call_out: `request` is a struct lunatik_hook_request. Sleeps. */
void lunatik_hook_make(void *request);

/* The hook has no users any more: it leaves the kernel soon. Any context. */
void lunatik_hook_let_go(struct lunatik_hook *hook);

/* True when the family is one whose hooks belong to a device. */
int lunatik_hook_needs_device(int family, int number);

/* A state with a larger limit, in bytes, may have no hooks. */
unsigned int lunatik_hook_maxalloc(void);

/* ============================================================================================ }
 * {=== a packet ============================================================================== */

/* The verdicts of the kernel. */
enum lunatik_verdict {
	LUNATIK_DROP = 0,
	LUNATIK_ACCEPT = 1,
	LUNATIK_STOLEN = 2,
	LUNATIK_QUEUE = 3,	/* the queue's number above the lower 16 bits */
};

/* A packet at a hook. */
struct lunatik_packet_run {
	struct lunatik_hook *hook;
	void *skb;
	const void *state;	/* struct nf_hook_state */
	void *handle;		/* of the packet object that lends it, or NULL */
	int slot;		/* of the function that it meets */
	int pressed;		/* memory is short: each packet does a part of a collection */
	unsigned int verdict;
	unsigned int failed;	/* functions that raised, ran too long or gave no verdict */
};

/* Rust's: has the state's functions decide about a packet. Process context or softirq, interrupts enabled. */
unsigned int lunatik_packet_enter(struct lunatik_vm *vm, struct lunatik_packet_run *run);

/* Rust's: a packet got the verdict for errors without a call. Any context. */
void lunatik_packet_missed(struct lunatik_vm *vm);

/* The same on the side stack; fills in the verdict. */
void lunatik_packet_run(struct lunatik_vm *vm, struct lunatik_packet_run *run);

/* Rust's: logs the message of a function that failed. */
void lunatik_packet_error(struct lunatik_vm *vm, const char *text, unsigned long len);

/* ============================================================================================ } */

#endif
