// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's workqueue: what must not be done where it becomes due.
 *
 * Unbound, for scripts may run long; freezable, so that no script runs across a suspend.
 */
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "kapi.h"

struct lunatik_job {
	struct work_struct work;
	void (*run)(void *arg);
	void *arg;
};

static struct workqueue_struct *queue;


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
	queue = alloc_workqueue("lunatik", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return queue ? 0 : -ENOMEM;
}

/* Waits until everything queued is done. */
void lunatik_defer_exit(void)
{
	if (queue)
		destroy_workqueue(queue);
	queue = NULL;
}
