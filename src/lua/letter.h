/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What src/lua and src/kapi/letters.c share of messages between states: a letter, and the parcel of packed values in it.
 *
 * A letter lies in kernel memory and belongs to one place at a time: its maker, a queue, or a list of those who watch.
 * The header needs neither Lua's headers nor the kernel's, so that packing is tested on the host.
 */
#ifndef LUNATIK_LETTER_H
#define LUNATIK_LETTER_H

/* A piece of a parcel. */
struct lunatik_piece {
	struct lunatik_piece *next;
	unsigned int used, room;	/* of `bytes` */
	char bytes[];
};

/* A block that a parcel refers to. */
struct lunatik_reference {
	struct lunatik_reference *next;
	void *block;
};

/* Packed values (transfer.c). */
struct lunatik_parcel {
	unsigned long size;		/* bytes of memory that it takes, with the blocks that it refers to */
	unsigned long limit;		/* of `size` */
	unsigned int values;
	struct lunatik_reference *references;
	struct lunatik_piece *last;
	struct lunatik_piece first;	/* its room lies behind */
};

enum lunatik_letter_kind {
	LUNATIK_LETTER_SEND,
	LUNATIK_LETTER_QUERY,
	LUNATIK_LETTER_REPLY,
	LUNATIK_LETTER_FAILED,	/* a query got no reply; `code` says why */
	LUNATIK_LETTER_ENDED,	/* a context that was waited for has ended */
	LUNATIK_LETTER_ROOM,	/* what waited for room in a queue is in it; or, with a `code`, will not be */
	LUNATIK_LETTER_START,	/* what a new context begins with */
};

struct lunatik_letter {
	void *link[2];			/* the kernel's list_head */
	struct lunatik_letter *receipt;	/* goes back when it has found room */
	long long source;		/* handle of the state it is from */
	long long session;		/* of a query and of what answers; -1 for none */
	unsigned long charge;		/* what it counts in the queue that it is in */
	int kind;			/* enum lunatik_letter_kind */
	int code;
	int linked;			/* in the list of those who watch */
	struct lunatik_parcel parcel;	/* last */
};

/* The errno values that these functions give, as negatives. */
#define LUNATIK_GONE		2
#define LUNATIK_FULL		11
#define LUNATIK_NO_MEMORY	12
#define LUNATIK_TOO_LONG	90
/* node-lua's number for a query that nobody answers. */
#define LUNATIK_NO_REPLY	207

struct lunatik_queue;

/* --- parcels: letters.c, or tests/lua/transfer.c ------------------------------------------------------------ */

/* Adds a piece for at least `room` bytes; 0, or a negative errno with nothing changed. Any context. */
int lunatik_parcel_grow(struct lunatik_parcel *parcel, unsigned int room);
/* Has the parcel keep a reference to a block (block.h), which it takes over if it returns 0; else as above. */
int lunatik_parcel_refer(struct lunatik_parcel *parcel, void *block);

/* --- letters: letters.c; any context but hard interrupt ------------------------------------------------------- */

/* A letter from `queue`; with `small` without room for values of its own. NULL when memory is out. */
struct lunatik_letter *lunatik_letter_new(struct lunatik_queue *queue, int kind, long long session, _Bool small);
/* Frees one that is in no queue. */
void lunatik_letter_free(struct lunatik_letter *letter);

/* A reference to the queue of a state by its handle; NULL when there is no such state, or it is ending. */
struct lunatik_queue *lunatik_context_get(long long handle);
void lunatik_context_put(struct lunatik_queue *queue);
/* The handle of the state of that name, 0 for none. */
long long lunatik_context_find(const char *name);
long long lunatik_queue_handle(const struct lunatik_queue *queue);
long long lunatik_queue_parent(const struct lunatik_queue *queue);

/* Queues a letter: 0, -LUNATIK_GONE, -LUNATIK_FULL; but for 0 it stays the caller's. */
int lunatik_letter_post(struct lunatik_queue *to, struct lunatik_letter *letter);
/*
 * The same for one from `from` that may wait until there is room, in the order in which they came: 1 when it does. Then
 * its receipt, if it has one, will come back. What waits so from one state is bounded, and then the queue is full.
 */
int lunatik_letter_queue(struct lunatik_queue *to, struct lunatik_queue *from, struct lunatik_letter *letter);

/* The state's own: a letter that its queue gave it was read. */
void lunatik_letter_done(struct lunatik_queue *queue, struct lunatik_letter *letter);
/* The same for a query that nobody will answer: it goes back as failed. */
void lunatik_letter_return(struct lunatik_queue *queue, struct lunatik_letter *letter, int code);

/* Has a letter come back when the state has ended; false when it has. Then, and unless unwatched, it is not the caller's. */
_Bool lunatik_letter_watch(struct lunatik_queue *on, struct lunatik_letter *letter);
/* Frees a letter that watches, unless it is on its way back. */
void lunatik_letter_unwatch(long long on, struct lunatik_letter *letter);

/* Ends the state once everything that is queued now is done. */
void lunatik_context_leave(struct lunatik_queue *queue);
/* The CPU that runs this, counted from 0. */
int lunatik_cpu(void);

#endif
