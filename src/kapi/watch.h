/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Watches: events of a state that are due when what they watch says so, or at a deadline (event.c).
 *
 * A source is what is watched: it lies in an object that counts its references, a socket. Its watches stand in the order in
 * which they came. One that fires leaves its source; so does one whose deadline comes, before its state handles it. Locks:
 * that of the queue, innermost; sources fire with interrupts on or off, but not in a hard interrupt.
 */
#ifndef LUNATIK_WATCH_H
#define LUNATIK_WATCH_H

#include <linux/list.h>
#include <linux/types.h>

struct lunatik_event;
struct lunatik_queue;

struct lunatik_source {
	struct lunatik_queue *queue;	/* of the one state whose coroutines watch it */
	struct list_head watches;
	/* Gives a reference back. Any context. */
	void (*put)(struct lunatik_source *source);
};

void lunatik_source_init(struct lunatik_source *source, struct lunatik_queue *queue,
			 void (*put)(struct lunatik_source *source));
void lunatik_watch_add(struct lunatik_event *event, struct lunatik_source *source, u32 mask, bool first);
bool lunatik_source_is_watched(struct lunatik_source *source, u32 mask);
void lunatik_source_fire(struct lunatik_source *source, u32 mask);
void lunatik_source_fire_all(struct lunatik_source *source);

#endif
