// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's workqueue: what must not be done where it becomes due.
 *
 * Unbound, for scripts may run long. Not freezable, for a suspend would wait for those that never end; instead they
 * sleep at their breaks from before it until after it.
 */
#include <linux/notifier.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "kapi.h"

struct lunatik_job {
	struct work_struct work;
	void (*run)(void *arg);
	void *arg;
};

static struct workqueue_struct *queue;

static u32 suspending;
static DECLARE_WAIT_QUEUE_HEAD(resumed);

static int power_changes(struct notifier_block *block, unsigned long what, void *unused)
{
	switch (what) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		WRITE_ONCE(suspending, 1);
		break;
	default:
		WRITE_ONCE(suspending, 0);
		wake_up_all(&resumed);
	}
	return NOTIFY_OK;
}

static struct notifier_block power_notifier = { .notifier_call = power_changes };

/* While the machine is being suspended: waits until it is resumed or `*value` is no longer what is expected. */
void lunatik_sleep_out_suspend(const u32 *value, u32 expected)
{
	if (READ_ONCE(suspending))
		wait_event_idle(resumed, !READ_ONCE(suspending) || READ_ONCE(*value) != expected);
}

/* A value that lunatik_sleep_out_suspend looks at may have changed. Process context. */
void lunatik_wake_from_suspend(void)
{
	if (READ_ONCE(suspending))
		wake_up_all(&resumed);
}

struct workqueue_struct *lunatik_workqueue(void)
{
	return queue;
}

static void drain_log(struct work_struct *work)
{
	lunatik_log_drain();
}

static DECLARE_WORK(log_work, drain_log);

/* Has the queued log lines written soon. Any context. */
void lunatik_log_kick(void)
{
	queue_work(queue, &log_work);
}

static void run_job(struct work_struct *work)
{
	struct lunatik_job *job = container_of(work, struct lunatik_job, work);

	job->run(job->arg);
	kfree(job);
}

/* A job to be queued once or freed; process context, NULL when memory is out. */
struct lunatik_job *lunatik_job_alloc(void)
{
	struct lunatik_job *job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);

	if (job)
		INIT_WORK(&job->work, run_job);
	return job;
}

void lunatik_job_free(struct lunatik_job *job)
{
	kfree(job);
}

/* Has `run(arg)` called in process context; the job is freed after it. Any context. */
void lunatik_job_queue(struct lunatik_job *job, void (*run)(void *), void *arg)
{
	job->run = run;
	job->arg = arg;
	queue_work(queue, &job->work);
}

int lunatik_defer_init(void)
{
	queue = alloc_workqueue("lunatik", WQ_UNBOUND, 0);
	if (!queue)
		return -ENOMEM;
	register_pm_notifier(&power_notifier);
	return 0;
}

/* Waits until everything queued is done. */
void lunatik_defer_exit(void)
{
	unregister_pm_notifier(&power_notifier);
	destroy_workqueue(queue);
	queue = NULL;
}
