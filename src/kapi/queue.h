/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue of a state: what event.c (timers, operations) and letters.c (messages between states) have in common.
 *
 * Locks: the queue's, innermost, bottom halves off; never two of them.
 */
#ifndef LUNATIK_QUEUE_H
#define LUNATIK_QUEUE_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "kapi.h"

struct lunatik_letter;

#define LUNATIK_QUEUE_NAME 64

struct lunatik_queue {
	spinlock_t lock;
	struct list_head armed;
	struct list_head parked;	/* armed without a timer, until called, one at a time */
	struct lunatik_event *called;	/* it is on its way; nobody else is called until it has arrived */
	struct list_head ready;
	struct work_struct work;
	void *state;			/* good while not closing */
	unsigned int interpreter;	/* which one of the state's */
	u32 closing;
	bool collect;			/* garbage is to be collected */

	/* Letters. */
	bool open;			/* the state has been published */
	bool context;			/* made by another state: it ends when nothing is pending in it */
	bool begun;			/* a context: it has something to begin with, or had */
	bool leaving;			/* it ends when no letter is left */
	bool ended;			/* its end is under way */
	bool purged;			/* it has ended: its handle is nobody's */
	u64 handle, parent;
	struct lunatik_letter *start;	/* what a context begins with, until it has begun */
	struct list_head letters;	/* that came */
	struct list_head held;		/* in the hands of the state */
	struct list_head overflow;	/* those that wait for room */
	struct list_head watchers;	/* letters that go back when the state has ended */
	size_t charged;			/* of `letters` and `held`, in bytes */
	size_t waiting;			/* what of this state waits in others' `overflow`, in bytes */
	struct work_struct end_work;
	refcount_t refs;
	struct rcu_head rcu;
	char name[LUNATIK_QUEUE_NAME];
};

/* --- event.c --- */

/* Has what is due handled. Under the queue's lock. */
void lunatik_queue_kick(struct lunatik_queue *queue);

/* --- letters.c --- */

int lunatik_letters_init(struct lunatik_queue *queue);
/* The letter to be handled next, now in the hands of the state; NULL for none. Under the queue's lock. */
struct lunatik_letter *lunatik_letters_next(struct lunatik_queue *queue);
/* The same for what a context begins with. */
struct lunatik_letter *lunatik_letters_start(struct lunatik_queue *queue);
/* Ends the state if its time has come. From its work item, without locks. */
void lunatik_letters_look(struct lunatik_queue *queue);

#endif
