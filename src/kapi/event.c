// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of a state: timers and operations that, once due, are handled one after another by its work item.
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
 * Locks: the queue's, innermost, bottom halves off. Timers fire in softirq. The work item holds a
 * reference to the state while it is queued or runs.
 */
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "kapi.h"

enum place { IDLE, ARMED, READY, RUNNING };

struct lunatik_event {
	struct hrtimer timer;
	struct list_head link;		/* in `armed`, `parked` or `ready` */
	struct lunatik_queue *queue;
	enum place place;
	bool sleeper;			/* a waiting coroutine: `cancel` wakes it */
	bool operation;			/* it lies in a struct lunatik_op */
	bool cancelled;			/* disarmed too late: it is to be let go, not handled */
};

struct lunatik_queue {
	spinlock_t lock;
	struct list_head armed;
	struct list_head parked;	/* armed without a timer, until called, one at a time */
	struct lunatik_event *called;	/* it is on its way; nobody else is called until it has arrived */
	struct list_head ready;
	struct work_struct work;
	void *state;
	unsigned int interpreter;	/* which one of the state's */
	u32 closing;
	bool collect;		/* garbage is to be collected */
};

/* An event comes first: the pointer to either is that to the other. */
struct lunatik_op {
	struct lunatik_event event;
	struct work_struct work;
	void (*run)(void *data);
	void *data;
};

size_t lunatik_event_size(void)
{
	return sizeof(struct lunatik_event);
}

/* Has the ready events handled. Under the queue's lock. */
static void kick(struct lunatik_queue *queue)
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
		kick(queue);
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

/* Waits until neither timer nor operation touches the event any more. Sleeps. */
static void settle(struct lunatik_event *event)
{
	hrtimer_cancel(&event->timer);
	if (event->operation)
		cancel_work_sync(&container_of(event, struct lunatik_op, event)->work);
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

/* Has an idle operation done and waits for it. The caller keeps its memory. Sleeps. */
void lunatik_op_run(struct lunatik_event *event)
{
	struct lunatik_op *op = container_of(event, struct lunatik_op, event);

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

/* Arms an idle or running event. Under the state's lock; false when the state is closing. */
bool lunatik_event_arm(struct lunatik_event *event, u64 ns)
{
	struct lunatik_queue *queue = event->queue;
	bool open;

	spin_lock_bh(&queue->lock);
	open = !queue->closing;
	if (open) {
		list_add_tail(&event->link, &queue->armed);
		event->place = ARMED;
		hrtimer_start_range_ns(&event->timer, ns_to_ktime(min_t(u64, ns, KTIME_MAX)), 0, HRTIMER_MODE_REL_SOFT);
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

/* Has the first of the parked events handled, unless one is on its way. Any context. */
void lunatik_queue_call(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	if (!queue->called && !queue->closing && !list_empty(&queue->parked)) {
		queue->called = list_first_entry(&queue->parked, struct lunatik_event, link);
		list_move_tail(&queue->called->link, &queue->ready);
		queue->called->place = READY;
		kick(queue);
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
		kick(queue);
		fallthrough;
	case READY:
	case RUNNING:
		event->cancelled = true;
		break;
	}
	spin_unlock_bh(&queue->lock);
	return idle;
}

/* Makes an armed event due now. Under the state's lock. */
void lunatik_event_expire(struct lunatik_event *event)
{
	struct lunatik_queue *queue = event->queue;

	spin_lock_bh(&queue->lock);
	if (event->place == ARMED) {
		expire(event);
		kick(queue);
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
		spin_unlock_bh(&queue->lock);
		if (collect)
			lunatik_state_collect(queue->state, queue->interpreter, mark);
		if (!event && !collect)
			break;
		if (!event)
			continue;
		settle(event);
		lunatik_state_event(queue->state, queue->interpreter, event, mark);
	}
	lunatik_state_put(queue->state);
}

/* Has garbage collected soon. Under the state's lock, any context. */
void lunatik_queue_collect(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	if (!queue->collect) {
		queue->collect = true;
		kick(queue);
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
		kick(queue);
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

/* NULL when memory is out. Process context. */
struct lunatik_queue *lunatik_queue_new(void *state, unsigned int interpreter)
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
	return queue;
}

/* Nothing is queued. */
void lunatik_queue_free(struct lunatik_queue *queue)
{
	kfree(queue);
}
