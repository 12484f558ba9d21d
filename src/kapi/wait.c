// SPDX-License-Identifier: GPL-2.0-only
/*
 * Wait queues and gates: what is inline or a macro in C.
 *
 * Wake: any context. Wait, and gates: process context.
 */
#include <linux/poll.h>
#include <linux/rwsem.h>
#include <linux/wait.h>

#include "kapi.h"

void lunatik_wait_init(struct wait_queue_head *queue)
{
	init_waitqueue_head(queue);
}

/* Sleeps until `ready(arg)`: 0, or -ERESTARTSYS when a signal came first. */
int lunatik_wait_until(struct wait_queue_head *queue, bool (*ready)(const void *arg), const void *arg)
{
	return wait_event_interruptible(*queue, ready(arg));
}

/* Has everybody who waits look again. */
void lunatik_wait_wake(struct wait_queue_head *queue)
{
	if (wq_has_sleeper(queue))
		wake_up_interruptible_all(queue);
}

void lunatik_wait_poll(struct wait_queue_head *queue, struct file *file, struct poll_table_struct *table)
{
	poll_wait(file, queue, table);
}

void lunatik_gate_init(struct rw_semaphore *gate)
{
	init_rwsem(gate);
}

/* 0 or -EINTR when a fatal signal came first. */
int lunatik_gate_enter(struct rw_semaphore *gate)
{
	return down_read_killable(gate);
}

void lunatik_gate_leave(struct rw_semaphore *gate)
{
	up_read(gate);
}

/* Waits until nobody is inside. */
void lunatik_gate_drain(struct rw_semaphore *gate)
{
	down_write(gate);
	up_write(gate);
}
