// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times FPU sections and loops on doubles with and without the FPU, for table.py. Process context; no locks.
 *
 * A read of <debugfs>/fpu_bench gives lines `NAME NANOSECONDS RESULT`, the least of several tries each. A write does
 * nothing but as many FPU sections as its first character says.
 */
#include <linux/debugfs.h>
#include <linux/fpu.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "loops_names.h"

#define TRIES		3
#define SECTIONS	1000
#define MULADDS		1000000
#define SIDE		64

static struct dentry *file;

static unsigned long long sections(unsigned int count)
{
	while (count--) {
		kernel_fpu_begin();
		kernel_fpu_end();
	}
	return SECTIONS;
}

static unsigned long long hard(unsigned long long (*loop)(unsigned int), unsigned int count)
{
	unsigned long long result;

	kernel_fpu_begin();
	result = loop(count);
	kernel_fpu_end();
	return result;
}

static unsigned long long soft(unsigned long long (*loop)(unsigned int), unsigned int count)
{
	return loop(count);
}

static void measure(struct seq_file *m, const char *name,
		    unsigned long long (*way)(unsigned long long (*)(unsigned int), unsigned int),
		    unsigned long long (*loop)(unsigned int), unsigned int count)
{
	unsigned long long result = 0;
	u64 least = U64_MAX;
	int i;

	for (i = 0; i < TRIES; i++) {
		u64 begun = ktime_get_ns();

		result = way(loop, count);
		least = min(least, ktime_get_ns() - begun);
	}
	seq_printf(m, "%s %llu %llu\n", name, least, result);
}

static int bench_show(struct seq_file *m, void *unused)
{
	measure(m, "sections", soft, sections, SECTIONS);
	measure(m, "hard_muladd", hard, hard_muladd, MULADDS);
	measure(m, "soft_muladd", soft, soft_muladd, MULADDS);
	measure(m, "hard_mandelbrot", hard, hard_mandelbrot, SIDE);
	measure(m, "soft_mandelbrot", soft, soft_mandelbrot, SIDE);
	return 0;
}

static int bench_open(struct inode *inode, struct file *opened)
{
	return single_open(opened, bench_show, NULL);
}

static ssize_t bench_write(struct file *opened, const char __user *from, size_t length, loff_t *at)
{
	char count;

	if (!length)
		return -EINVAL;
	if (get_user(count, from))
		return -EFAULT;
	if (count < '0' || count > '9')
		return -EINVAL;
	sections(count - '0');
	return length;
}

static const struct file_operations bench_files = {
	.owner		= THIS_MODULE,
	.open		= bench_open,
	.read		= seq_read,
	.write		= bench_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int __init bench_init(void)
{
	if (!kernel_fpu_available())
		return -ENODEV;
	file = debugfs_create_file("fpu_bench", 0600, NULL, NULL, &bench_files);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit bench_exit(void)
{
	debugfs_remove(file);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("FPU sections against soft-float");
MODULE_LICENSE("GPL");
