// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a hook waits for a state in which a script runs: calls klua_execute from a timer in softirq, for
 * selftests/bench/latency.py.
 *
 * A write of `NAME TIMES CODE` to <debugfs>/klua_latency executes CODE so often, at times that nobody can foresee; one
 * that finds the state's lock held tries again 5 us later. A read gives for each event the nanoseconds from when it was due to when its
 * call got the lock, as 32-bit numbers of this machine. What CODE did is not looked at: the script may leave it no memory.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <klua.h>

#define LONGEST		4096
#define MOST		1000000
#define RETRY_NS	(5 * NSEC_PER_USEC)
/* More than a slice, so that events come at every moment of one. */
#define APART_NS	(300 * NSEC_PER_USEC)

struct job {
	struct hrtimer timer;
	struct completion over;
	const char *name;
	const char *code;
	ktime_t due;
};

/* Held by the writer, who fills them; readers hold it too. */
static DEFINE_MUTEX(lock);
static u32 *waits;
static unsigned int count, done;
static struct dentry *file;

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct job *job = container_of(timer, struct job, timer);
	ktime_t began = ktime_get();

	if (klua_execute(job->name, job->code) == -EBUSY) {
		hrtimer_set_expires(timer, ktime_add_ns(ktime_get(), RETRY_NS));
		return HRTIMER_RESTART;
	}
	waits[done++] = min_t(s64, ktime_to_ns(ktime_sub(began, job->due)), U32_MAX);
	if (done == count) {
		complete(&job->over);
		return HRTIMER_NORESTART;
	}
	job->due = ktime_add_ns(ktime_get(), get_random_u32_below(APART_NS));
	hrtimer_set_expires(timer, job->due);
	return HRTIMER_RESTART;
}

static int measure(const char *name, unsigned int times, const char *code)
{
	struct job job = { .name = name, .code = code };

	kvfree(waits);
	done = 0;
	count = times;
	waits = kvcalloc(times, sizeof(*waits), GFP_KERNEL);
	if (!waits)
		return -ENOMEM;
	init_completion(&job.over);
	hrtimer_setup_on_stack(&job.timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	job.due = ktime_add_ns(ktime_get(), APART_NS);
	hrtimer_start(&job.timer, job.due, HRTIMER_MODE_ABS_SOFT);
	wait_for_completion(&job.over);
	hrtimer_cancel(&job.timer);
	destroy_hrtimer_on_stack(&job.timer);
	return 0;
}

static ssize_t latency_write(struct file *unused, const char __user *from, size_t len, loff_t *pos)
{
	const char *name, *times_text;
	unsigned int times;
	char *line, *rest;
	int result;

	if (len > LONGEST)
		return -E2BIG;
	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	rest = strim(line);
	name = strsep(&rest, " ");
	times_text = strsep(&rest, " ");
	if (!times_text || kstrtouint(times_text, 10, &times) || !times || times > MOST) {
		result = -EPROTO;
	} else {
		mutex_lock(&lock);
		result = measure(name, times, rest ?: "");
		mutex_unlock(&lock);
	}
	kfree(line);
	return result ?: len;
}

static ssize_t latency_read(struct file *unused, char __user *to, size_t len, loff_t *pos)
{
	ssize_t n;

	mutex_lock(&lock);
	n = simple_read_from_buffer(to, len, pos, waits, done * sizeof(*waits));
	mutex_unlock(&lock);
	return n;
}

static const struct file_operations latency_fops = {
	.owner = THIS_MODULE,
	.read = latency_read,
	.write = latency_write,
	.llseek = default_llseek,
};

static int __init klua_latency_init(void)
{
	file = debugfs_create_file("klua_latency", 0600, NULL, NULL, &latency_fops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit klua_latency_exit(void)
{
	debugfs_remove(file);
	kvfree(waits);
}

module_init(klua_latency_init);
module_exit(klua_latency_exit);
MODULE_AUTHOR("The lunatik authors");
MODULE_DESCRIPTION("Measures how long klua_execute waits for a busy state");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: lunatik");
