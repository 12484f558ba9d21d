// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls the klua_* functions on behalf of selftests/klua.sh: from process context, from a timer in softirq, and many
 * times over while the states are busy.
 *
 * A write to <debugfs>/klua_test does one thing, and fails with the errno that the function gave:
 *
 *	create|delete NAME		execute NAME CODE	list
 *	softirq-create|softirq-delete NAME			softirq-execute NAME CODE
 *	null				all of them with null pointers: fails unless each gives -EINVAL
 *	spin NAME TIMES CODE		klua_execute in a row, in process context
 *	until NAME TIMES CODE		the same until it gives 0, TIMES times at most
 *	timer NAME TIMES BURST CODE	klua_execute BURST times a jiffy for TIMES jiffies, in softirq; it ends soon
 *					after the state has gone
 *
 * A read after spin, until or timer gives a line `ERRNO COUNT` for each outcome that came.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

#include <klua.h>

#define LONGEST		4096
#define OUTCOMES	64	/* errnos from 0 on; all that klua_* give are below */

struct job {
	struct timer_list timer;
	struct completion over;
	char verb;
	const char *name;
	const char *code;
	unsigned int times;
	unsigned int burst;
	int result;
};

/* Held by spin, until and timer, who fill it. */
static DEFINE_MUTEX(lock);
static unsigned int outcomes[OUTCOMES];
static struct dentry *file;

static void count(int result)
{
	outcomes[min_t(unsigned int, -result, OUTCOMES - 1)]++;
}

static void on_timer(struct timer_list *timer)
{
	struct job *job = container_of(timer, struct job, timer);
	unsigned int i;

	switch (job->verb) {
	case 'c':
		job->result = klua_createstate(job->name);
		break;
	case 'd':
		job->result = klua_deletestate(job->name);
		break;
	case 'e':
		job->result = klua_execute(job->name, job->code);
		break;
	default:
		for (i = 0; i < job->burst; i++)
			count(klua_execute(job->name, job->code));
		if (--job->times && outcomes[ENOENT] < 10) {
			mod_timer(&job->timer, jiffies + 1);
			return;
		}
	}
	complete(&job->over);
}

/* Does a job in softirq, and waits for it. */
static int in_softirq_do(char verb, const char *name, const char *code, unsigned int times, unsigned int burst)
{
	struct job job = {
		.verb = verb,
		.name = name,
		.code = code,
		.times = times,
		.burst = burst,
	};

	timer_setup_on_stack(&job.timer, on_timer, 0);
	init_completion(&job.over);
	mod_timer(&job.timer, jiffies + 1);
	wait_for_completion(&job.over);
	timer_delete_sync(&job.timer);
	timer_destroy_on_stack(&job.timer);
	return job.result;
}

static int all_with_null(void)
{
	if (klua_createstate(NULL) != -EINVAL || klua_deletestate(NULL) != -EINVAL)
		return -EPROTO;
	if (klua_execute(NULL, "") != -EINVAL || klua_execute("x", NULL) != -EINVAL)
		return -EPROTO;
	return 0;
}

static int number(char **rest, unsigned int *value)
{
	char *word = strsep(rest, " ");

	return word ? kstrtouint(word, 10, value) : -EPROTO;
}

static int obey(char *line)
{
	const char *verb = strsep(&line, " ");
	unsigned int times, burst = 1;
	const char *name;

	if (!strcmp(verb, "list")) {
		klua_liststates();
		return 0;
	}
	if (!strcmp(verb, "null"))
		return all_with_null();
	name = strsep(&line, " ");
	if (!name)
		return -EPROTO;
	if (!strcmp(verb, "create"))
		return klua_createstate(name);
	if (!strcmp(verb, "delete"))
		return klua_deletestate(name);
	if (!strcmp(verb, "execute"))
		return klua_execute(name, line ?: "");
	if (!strcmp(verb, "softirq-create"))
		return in_softirq_do('c', name, NULL, 1, 1);
	if (!strcmp(verb, "softirq-delete"))
		return in_softirq_do('d', name, NULL, 1, 1);
	if (!strcmp(verb, "softirq-execute"))
		return in_softirq_do('e', name, line ?: "", 1, 1);
	if (number(&line, &times) || !times)
		return -EPROTO;
	if (strcmp(verb, "spin") && strcmp(verb, "until") && (strcmp(verb, "timer") || number(&line, &burst) || !burst))
		return -EPROTO;
	mutex_lock(&lock);
	memset(outcomes, 0, sizeof(outcomes));
	if (verb[0] == 't')
		in_softirq_do('t', name, line ?: "", times, burst);
	else
		while (times-- && (verb[0] == 's' || !outcomes[0])) {
			count(klua_execute(name, line ?: ""));
			cond_resched();
			/* Whoever holds the lock may be a virtual CPU that has lost its own. */
			if (verb[0] == 'u' && times % 64 == 0)
				usleep_range(100, 1000);
		}
	mutex_unlock(&lock);
	return 0;
}

static ssize_t test_write(struct file *unused, const char __user *from, size_t len, loff_t *pos)
{
	char *line;
	int result;

	if (len > LONGEST)
		return -E2BIG;
	line = memdup_user_nul(from, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	if (len && line[len - 1] == '\n')
		line[len - 1] = 0;
	result = obey(line);
	kfree(line);
	return result ?: len;
}

static ssize_t test_read(struct file *unused, char __user *to, size_t len, loff_t *pos)
{
	char text[256];
	int used = 0;
	int i;

	for (i = 0; i < OUTCOMES; i++)
		if (outcomes[i])
			used += scnprintf(text + used, sizeof(text) - used, "%d %u\n", i, outcomes[i]);
	return simple_read_from_buffer(to, len, pos, text, used);
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.read = test_read,
	.write = test_write,
	.llseek = default_llseek,
};

static int __init klua_test_init(void)
{
	file = debugfs_create_file("klua_test", 0600, NULL, NULL, &test_fops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit klua_test_exit(void)
{
	debugfs_remove(file);
}

module_init(klua_test_init);
module_exit(klua_test_exit);
MODULE_AUTHOR("The lunatik authors");
MODULE_DESCRIPTION("Calls the functions that lunatik exports");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: lunatik");
