// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that commits one known fault when it is loaded, named by the parameter `what`, so that the detectors of the
 * debug kernel and the verdict of `run` can be seen to work. Process context; each fault is meant and none is cleaned up.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/timer.h>

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "the fault to commit");

/* The compiler must neither see through these nor warn of them. */
static int eight = 8, sixty_five = 65;
module_param(eight, int, 0444);
module_param(sixty_five, int, 0444);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);
static DECLARE_COMPLETION(never);
static struct task_struct *hanging;

static unsigned int leaks = 1;
module_param(leaks, uint, 0444);

static int leak(void)
{
	for (unsigned int i = 0; i < leaks; i++) {
		char *lost = kmalloc(100, GFP_KERNEL);

		if (!lost)
			return -ENOMEM;
		memset(lost, 0x5a, 100);
	}
	return 0;
}

static int out_of_bounds(void)
{
	char *block = kmalloc(eight, GFP_KERNEL);
	int read;

	if (!block)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(block);
	read = READ_ONCE(block[eight]);
	kfree(block);
	pr_info("canary: read %d\n", read);
	return 0;
}

static int use_after_free(void)
{
	char *block = kmalloc(eight, GFP_KERNEL);

	if (!block)
		return -ENOMEM;
	kfree(block);
	OPTIMIZER_HIDE_VAR(block);
	pr_info("canary: read %d\n", READ_ONCE(block[0]));
	return 0;
}

static int inversion(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
	return 0;
}

static int atomic_sleep(void)
{
	spin_lock(&spin);
	mutex_lock(&first);
	mutex_unlock(&first);
	spin_unlock(&spin);
	return 0;
}

static int spin_25_s(void)
{
	u64 end = local_clock() + 25ULL * NSEC_PER_SEC;

	preempt_disable();
	while (local_clock() < end)
		cpu_relax();
	preempt_enable();
	return 0;
}

static int shift(void)
{
	pr_info("canary: %lx\n", 1UL << sixty_five);
	return 0;
}

static void tick(struct timer_list *timer)
{
}

/* An armed timer in memory that is freed. */
static int object(void)
{
	struct timer_list *timer = kmalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return -ENOMEM;
	timer_setup(timer, tick, 0);
	mod_timer(timer, jiffies + 3600 * HZ);
	kfree(timer);
	return 0;
}

static int wait_for_ever(void *unused)
{
	wait_for_completion(&never);
	return 0;
}

/* The limit for hung tasks is set to 3 s by the command of this canary. */
static int hang(void)
{
	hanging = kthread_run(wait_for_ever, NULL, "canary");
	return PTR_ERR_OR_ZERO(hanging);
}

static int warn(void)
{
	WARN(1, "canary\n");
	return 0;
}

static int oops(void)
{
	int *nowhere = (int *)(long)eight;

	OPTIMIZER_HIDE_VAR(nowhere);
	pr_info("canary: %d\n", READ_ONCE(*nowhere));
	return 0;
}

static int dead(void)
{
	panic("canary");
}

static int held(void)
{
	__module_get(THIS_MODULE);
	return 0;
}

static int nothing(void)
{
	return 0;
}

static const struct {
	const char *name;
	int (*commit)(void);
} faults[] = {
	{ "leak", leak }, { "out-of-bounds", out_of_bounds }, { "use-after-free", use_after_free }, { "inversion", inversion },
	{ "atomic-sleep", atomic_sleep }, { "spin", spin_25_s }, { "shift", shift }, { "object", object }, { "hang", hang },
	{ "warn", warn }, { "oops", oops }, { "panic", dead }, { "held", held },
	{ "nothing", nothing },
};

static int __init canary_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		if (!strcmp(what, faults[i].name))
			return faults[i].commit();
	}
	pr_err("canary: no fault is called '%s'\n", what);
	return -EINVAL;
}

static void __exit canary_exit(void)
{
	if (hanging)
		complete(&never);
}

module_init(canary_init);
module_exit(canary_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Commits one known fault, to prove that it is seen");
