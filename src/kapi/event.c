// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of a state: timers and operations that, once due, are handled one after another by its work item, between the
 * letters of other states (letters.c).
 *
 * An event is in one place at a time: idle, armed (its timer or its operation runs), ready (queued), or
 * running (in the hands of the state's work item). Its memory is the state's and is kept by Lua until it is
 * idle for good. Under a state's lock nothing waits for a timer: who disarms an event whose timer fires just
 * now has it queued as void, and the work item, which may sleep, waits for the timer to be over before it
 * touches any event.
 *
 * An operation is an event that is due when a work item of its own has done something that sleeps, for a
 * coroutine that waits for it. Operations of a state run side by side. `cancel` and the end of a state take
 * back what has not begun, and wait for what has: an operation must end by itself. An operation that a task
 * waits for (lunatik_op_run) stays idle as an event.
 *
 * A watch is an event that is due when its source fires, or at a deadline (watch.h). It is put to its source while it is
 * idle, where it may fire before it is armed; the work item takes it from its source before it touches the event.
 *
 * Locks: the queue's, innermost, bottom halves off. Timers fire in softirq, sources where interrupts may be off. The work item holds a
 * reference to the state while it is queued or runs.
 */
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "queue.h"
#include "watch.h"

enum place { IDLE, ARMED, READY, RUNNING };

struct lunatik_event {
	struct hrtimer timer;
	struct list_head link;		/* in `armed`, `parked` or `ready` */
	struct lunatik_queue *queue;
	enum place place;
	bool sleeper;			/* a waiting coroutine: `cancel` wakes it */
	bool operation;			/* it lies in a struct lunatik_op */
	bool watch;			/* it lies in a struct lunatik_watch */
	bool cancelled;			/* disarmed too late: it is to be let go, not handled */
};

/* An event comes first: the pointer to either is that to the other. */
struct lunatik_op {
	struct lunatik_event event;
	struct work_struct work;
	void (*run)(void *data);
	void *data;
};

/* As above. Guarded by the queue's lock. */
struct lunatik_watch {
	struct lunatik_event event;
	struct list_head link;		/* in its source, until it fires */
	struct lunatik_source *source;	/* with a reference; NULL when it watches nothing */
	u32 mask;
	bool fired;
};

static struct lunatik_watch *watch_of(struct lunatik_event *event)
{
	return container_of(event, struct lunatik_watch, event);
}

size_t lunatik_event_size(void)
{
	return sizeof(struct lunatik_event);
}

void lunatik_queue_kick(struct lunatik_queue *queue)
{
	if (queue->closing)
		return;
	/* Taken first: the work item may be done before we are. */
	lunatik_state_get(queue->state);
	if (!queue_work(lunatik_workqueue(), &queue->work))
		lunatik_state_put(queue->state);
}

/* Queues an armed event before its time. Under the queue's lock. */
static void expire(struct lunatik_event *event)
{
	/* Should it fire just now, it finds itself queued; the work item waits for it. */
	hrtimer_try_to_cancel(&event->timer);
	list_move_tail(&event->link, &event->queue->ready);
	event->place = READY;
}

/* An event is due, unless it was disarmed or woken just now. Softirq or process context. */
static void make_ready(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;

	spin_lock_bh(&queue->lock);
	if (event->place == ARMED) {
		list_move_tail(&event->link, &queue->ready);
		event->place = READY;
		lunatik_queue_kick(queue);
	}
	spin_unlock_bh(&queue->lock);
}

static enum hrtimer_restart event_due(struct hrtimer *timer)
{
	make_ready(container_of(timer, struct lunatik_event, timer));
	return HRTIMER_NORESTART;
}

static void run_op(struct work_struct *work)
{
	struct lunatik_op *op = container_of(work, struct lunatik_op, work);

	op->run(op->data);
	make_ready(&op->event);
}

/* Takes a watch from its source. Under the queue's lock; the reference is the caller's to put, after it. */
static struct lunatik_source *unwatch(struct lunatik_watch *watch)
{
	struct lunatik_source *source = watch->source;

	list_del_init(&watch->link);
	watch->source = NULL;
	return source;
}

static void put_source(struct lunatik_source *source)
{
	if (source)
		source->put(source);
}

/* Waits until neither timer nor operation nor source touches the event any more. Sleeps. */
static void settle(struct lunatik_event *event)
{
	hrtimer_cancel(&event->timer);
	if (event->operation)
		cancel_work_sync(&container_of(event, struct lunatik_op, event)->work);
	if (event->watch) {
		struct lunatik_source *source;

		spin_lock_bh(&event->queue->lock);
		source = unwatch(watch_of(event));
		spin_unlock_bh(&event->queue->lock);
		put_source(source);
	}
}

/* Makes an idle event in the memory given. */
void lunatik_event_init(struct lunatik_event *event, struct lunatik_queue *queue, bool sleeper)
{
	hrtimer_setup(&event->timer, event_due, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	INIT_LIST_HEAD(&event->link);
	event->queue = queue;
	event->place = IDLE;
	event->sleeper = sleeper;
	event->operation = false;
	event->watch = false;
	event->cancelled = false;
}

size_t lunatik_op_size(void)
{
	return sizeof(struct lunatik_op);
}

/* Makes an idle operation in the memory given; `run(data)` will be called in process context. */
void lunatik_op_init(struct lunatik_event *event, struct lunatik_queue *queue, void (*run)(void *), void *data)
{
	struct lunatik_op *op = container_of(event, struct lunatik_op, event);

	lunatik_event_init(event, queue, true);
	event->operation = true;
	INIT_WORK(&op->work, run_op);
	op->run = run;
	op->data = data;
}

/*
 * Has an idle operation done and waits for it. The caller keeps its memory. Sleeps. A work item has the kernel's own
 * credentials and does it itself: one that waits for another could take its place in the workqueue.
 */
void lunatik_op_run(struct lunatik_event *event)
{
	struct lunatik_op *op = container_of(event, struct lunatik_op, event);

	if (current->flags & PF_WQ_WORKER) {
		op->run(op->data);
		return;
	}
	queue_work(lunatik_workqueue(), &op->work);
	flush_work(&op->work);
}

/* Starts an idle operation. Under the state's lock; false when the state is closing. */
bool lunatik_op_start(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;
	bool open;

	spin_lock_bh(&queue->lock);
	open = !queue->closing;
	if (open) {
		list_add_tail(&event->link, &queue->armed);
		event->place = ARMED;
		queue_work(lunatik_workqueue(), &container_of(event, struct lunatik_op, event)->work);
	}
	spin_unlock_bh(&queue->lock);
	return open;
}

/*
 * Arms an idle or running event; 0: it is due, LUNATIK_NEVER: not by itself. Under the state's lock; false when the state
 * is closing.
 */
bool lunatik_event_arm(struct lunatik_event *event, u64 ns)
{
	struct lunatik_queue *queue = event->queue;
	bool open;

	spin_lock_bh(&queue->lock);
	open = !queue->closing;
	if (open) {
		list_add_tail(&event->link, ns ? &queue->armed : &queue->ready);
		event->place = ns ? ARMED : READY;
		if (ns == 0)
			lunatik_queue_kick(queue);
		else if (ns != LUNATIK_NEVER)
			hrtimer_start_range_ns(&event->timer, ns_to_ktime(min_t(u64, ns, KTIME_MAX)), 0,
					       HRTIMER_MODE_REL_SOFT);
	}
	spin_unlock_bh(&queue->lock);
	return open;
}

/* Parks an idle event, behind the others or before them. Under the state's lock; false when the state is closing. */
bool lunatik_event_park(struct lunatik_event *event, bool first)
{
	struct lunatik_queue *queue = event->queue;
	bool open;

	spin_lock_bh(&queue->lock);
	open = !queue->closing;
	if (open) {
		list_add(&event->link, first ? &queue->parked : queue->parked.prev);
		event->place = ARMED;
	}
	spin_unlock_bh(&queue->lock);
	return open;
}

/* --- watches --- */

size_t lunatik_watch_size(void)
{
	return sizeof(struct lunatik_watch);
}

/* Makes an idle watch, of nothing yet, in the memory given. */
void lunatik_watch_init(struct lunatik_event *event, struct lunatik_queue *queue)
{
	struct lunatik_watch *watch = watch_of(event);

	lunatik_event_init(event, queue, true);
	event->watch = true;
	INIT_LIST_HEAD(&watch->link);
	watch->source = NULL;
	watch->mask = 0;
	watch->fired = false;
}

void lunatik_source_init(struct lunatik_source *source, struct lunatik_queue *queue,
			 void (*put)(struct lunatik_source *source))
{
	source->queue = queue;
	INIT_LIST_HEAD(&source->watches);
	source->put = put;
}

/*
 * Has an idle watch fire when `source` does so with a bit of `mask`; behind the others or before them. It takes over a
 * reference to the source, and lunatik_watch_arm must follow. What the source is asked after this, to be sure that
 * nothing was missed, is asked in order. Process context.
 */
void lunatik_watch_add(struct lunatik_event *event, struct lunatik_source *source, u32 mask, bool first)
{
	struct lunatik_watch *watch = watch_of(event);

	spin_lock_bh(&source->queue->lock);
	watch->source = source;
	watch->mask = mask;
	watch->fired = false;
	list_add(&watch->link, first ? &source->watches : source->watches.prev);
	spin_unlock_bh(&source->queue->lock);
	/* Pairs with the barrier in fire(). */
	smp_mb();
}

/*
 * Arms an idle watch until `deadline`, in nanoseconds of the monotonic clock, U64_MAX for none; one that has fired is due
 * at once. Under the state's lock; false when the state is closing, and then it watches nothing any more.
 */
bool lunatik_watch_arm(struct lunatik_event *event, u64 deadline)
{
	struct lunatik_watch *watch = watch_of(event);
	struct lunatik_queue *queue = event->queue;
	struct lunatik_source *source = NULL;
	bool open;

	spin_lock_bh(&queue->lock);
	open = !queue->closing;
	if (!open) {
		source = unwatch(watch);
	} else if (watch->fired) {
		list_add_tail(&event->link, &queue->ready);
		event->place = READY;
		lunatik_queue_kick(queue);
	} else {
		list_add_tail(&event->link, &queue->armed);
		event->place = ARMED;
		if (deadline != U64_MAX)
			hrtimer_start_range_ns(&event->timer, ns_to_ktime(min_t(u64, deadline, KTIME_MAX)), 0,
					       HRTIMER_MODE_ABS_SOFT);
	}
	spin_unlock_bh(&queue->lock);
	put_source(source);
	return open;
}

/* True when a watch waits there for a bit of `mask`. */
bool lunatik_source_is_watched(struct lunatik_source *source, u32 mask)
{
	struct lunatik_watch *watch;
	bool found = false;
	unsigned long flags;

	if (list_empty(&source->watches))
		return false;
	spin_lock_irqsave(&source->queue->lock, flags);
	list_for_each_entry(watch, &source->watches, link) {
		found = watch->mask & mask;
		if (found)
			break;
	}
	spin_unlock_irqrestore(&source->queue->lock, flags);
	return found;
}

static void fire(struct lunatik_source *source, u32 mask, bool all)
{
	struct lunatik_queue *queue = source->queue;
	struct lunatik_watch *watch, *next;
	unsigned long flags;

	/* Either this sees the watch, or who added it sees what this is about. */
	smp_mb();
	if (list_empty(&source->watches))
		return;
	spin_lock_irqsave(&queue->lock, flags);
	list_for_each_entry_safe(watch, next, &source->watches, link) {
		if (!(watch->mask & mask))
			continue;
		list_del_init(&watch->link);
		watch->fired = true;
		if (watch->event.place == ARMED) {
			expire(&watch->event);
			lunatik_queue_kick(queue);
		}
		mask &= all ? mask : ~watch->mask;
		if (!mask)
			break;
	}
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* Fires the first watch of each bit of `mask`. */
void lunatik_source_fire(struct lunatik_source *source, u32 mask)
{
	fire(source, mask, false);
}

/* Fires all watches. */
void lunatik_source_fire_all(struct lunatik_source *source)
{
	fire(source, U32_MAX, true);
}

/* --- the queue --- */

/* Has the first of the parked events handled, unless one is on its way. Any context. */
void lunatik_queue_call(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	if (!queue->called && !queue->closing && !list_empty(&queue->parked)) {
		queue->called = list_first_entry(&queue->parked, struct lunatik_event, link);
		list_move_tail(&queue->called->link, &queue->ready);
		queue->called->place = READY;
		lunatik_queue_kick(queue);
	}
	spin_unlock_bh(&queue->lock);
}

/* True when an event is parked or was called and has not arrived. Any context. */
bool lunatik_queue_is_waited_for(struct lunatik_queue *queue)
{
	bool waited;

	spin_lock_bh(&queue->lock);
	waited = queue->called || !list_empty(&queue->parked);
	spin_unlock_bh(&queue->lock);
	return waited;
}

/*
 * Disarms an event. Under the state's lock. True when it is idle and its memory the caller's again;
 * false when the work item will have to let it go.
 */
bool lunatik_event_disarm(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;
	bool idle = false;

	spin_lock_bh(&queue->lock);
	switch (event->place) {
	case IDLE:
		idle = true;
		break;
	case ARMED:
		list_del_init(&event->link);
		if (hrtimer_try_to_cancel(&event->timer) >= 0) {
			event->place = IDLE;
			idle = true;
			break;
		}
		/* It fires on another CPU and waits for our lock. */
		list_add_tail(&event->link, &queue->ready);
		event->place = READY;
		lunatik_queue_kick(queue);
		fallthrough;
	case READY:
	case RUNNING:
		event->cancelled = true;
		break;
	}
	spin_unlock_bh(&queue->lock);
	return idle;
}

/*
 * Takes an event that waits from the executor. Under the state's lock. True when it is idle now; false when it is due,
 * or about to be: then its turn comes as though nobody had tried.
 */
bool lunatik_event_claim(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;
	bool claimed = false;

	spin_lock_bh(&queue->lock);
	if (event->place == ARMED && hrtimer_try_to_cancel(&event->timer) >= 0) {
		list_del_init(&event->link);
		event->place = IDLE;
		claimed = true;
	}
	spin_unlock_bh(&queue->lock);
	return claimed;
}

/* Makes an armed event due now. Under the state's lock. */
void lunatik_event_expire(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;

	spin_lock_bh(&queue->lock);
	if (event->place == ARMED) {
		expire(event);
		lunatik_queue_kick(queue);
	}
	spin_unlock_bh(&queue->lock);
}

/* True when the event was disarmed after it had become due. Under the state's lock. */
bool lunatik_event_cancelled(const struct lunatik_event *event)
{
	return event->cancelled;
}

/* A running event is done with. Under the state's lock. */
void lunatik_event_done(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;

	event->place = IDLE;
	spin_lock_bh(&queue->lock);
	if (queue->called == event)
		queue->called = NULL;
	spin_unlock_bh(&queue->lock);
}

static void handle_events(struct work_struct *work)
{
	struct lunatik_queue *queue = container_of(work, struct lunatik_queue, work);

	for (;;) {
		struct lunatik_letter *letter = NULL, *start = NULL;
		struct lunatik_event *event;
		bool collect;
		u32 mark;

		cond_resched();
		lunatik_sleep_out_suspend(&queue->closing, 0);
		/* Read before `closing`: an event that begins is cancelled by whoever closes. */
		mark = lunatik_state_mark(queue->state, queue->interpreter);
		spin_lock_bh(&queue->lock);
		collect = !queue->closing && queue->collect;
		queue->collect = false;
		event = queue->closing ? NULL : list_first_entry_or_null(&queue->ready, struct lunatik_event, link);
		if (event) {
			list_del_init(&event->link);
			event->place = RUNNING;
		}
		if (!queue->closing) {
			start = lunatik_letters_start(queue);
			/* A context has begun before it gets a letter. */
			if (!start)
				letter = lunatik_letters_next(queue);
		}
		spin_unlock_bh(&queue->lock);
		if (collect)
			lunatik_state_collect(queue->state, queue->interpreter, mark);
		if (start)
			lunatik_state_start(queue->state, start, mark);
		if (event) {
			settle(event);
			lunatik_state_event(queue->state, queue->interpreter, event, mark);
		}
		if (letter)
			lunatik_state_letter(queue->state, queue->interpreter, letter, mark);
		lunatik_letters_look(queue);
		if (!event && !collect && !start && !letter)
			break;
	}
	lunatik_state_put(queue->state);
}

/* Has garbage collected soon. Under the state's lock, any context. */
void lunatik_queue_collect(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	if (!queue->collect) {
		queue->collect = true;
		lunatik_queue_kick(queue);
	}
	spin_unlock_bh(&queue->lock);
}

/* Wakes every waiting coroutine, to be ended. Process context. */
void lunatik_queue_wake(struct lunatik_queue *queue)
{
	struct lunatik_event *event, *next;

	spin_lock_bh(&queue->lock);
	list_for_each_entry_safe(event, next, &queue->armed, link) {
		if (!event->sleeper)
			continue;
		expire(event);
	}
	list_for_each_entry(event, &queue->parked, link)
		event->place = READY;
	list_splice_tail_init(&queue->parked, &queue->ready);
	if (!list_empty(&queue->ready))
		lunatik_queue_kick(queue);
	spin_unlock_bh(&queue->lock);
	lunatik_wake_from_suspend();
}

/* From now on no event begins. Process context. */
void lunatik_queue_stop(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	WRITE_ONCE(queue->closing, 1);
	spin_unlock_bh(&queue->lock);
}

/* After lunatik_queue_stop: waits until the event that runs is over and nothing is armed. Sleeps. */
void lunatik_queue_drain(struct lunatik_queue *queue)
{
	if (cancel_work_sync(&queue->work))
		lunatik_state_put(queue->state);
	for (;;) {
		struct lunatik_event *event;

		spin_lock_bh(&queue->lock);
		list_splice_tail_init(&queue->ready, &queue->armed);
		list_splice_tail_init(&queue->parked, &queue->armed);
		event = list_first_entry_or_null(&queue->armed, struct lunatik_event, link);
		if (event) {
			list_del_init(&event->link);
			event->place = IDLE;
		}
		spin_unlock_bh(&queue->lock);
		if (!event)
			return;
		settle(event);
	}
}

/*
 * The queue of one of a state's interpreters, with the state's name and a handle of its own; made by the state of handle
 * `parent`, or 0; `context` when it ends by itself. NULL when memory is out. Process context.
 */
struct lunatik_queue *lunatik_queue_new(void *state, unsigned int interpreter, const char *name, u64 handle, u64 parent,
					bool context)
{
	struct lunatik_queue *queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);

	if (!queue)
		return NULL;
	lunatik_spin_init(&queue->lock, LUNATIK_LOCK_QUEUE);
	INIT_LIST_HEAD(&queue->armed);
	INIT_LIST_HEAD(&queue->parked);
	INIT_LIST_HEAD(&queue->ready);
	INIT_WORK(&queue->work, handle_events);
	queue->state = state;
	queue->interpreter = interpreter;
	queue->handle = handle;
	queue->parent = parent;
	queue->context = context;
	strscpy(queue->name, name, sizeof(queue->name));
	if (lunatik_letters_init(queue)) {
		kfree(queue);
		return NULL;
	}
	return queue;
}

/* Keeps the queue's memory, by a reference to its state; gives it back, in process context if it may be the last. */
void lunatik_queue_get(struct lunatik_queue *queue)
{
	lunatik_state_get(queue->state);
}

void lunatik_queue_put(struct lunatik_queue *queue)
{
	lunatik_state_put(queue->state);
}
