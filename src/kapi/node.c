// SPDX-License-Identifier: GPL-2.0-only
/*
 * `code` and `data` in a state's directory: the tables of function pointers, and the private pointer of each
 * open file; what the files mean is Rust's business (src/code.rs, src/data.rs).
 *
 * Context: process, no locks held. sysfs offers a binary attribute neither open nor close nor poll nor whole
 * writes, so these are nodes of our own making: after sysfs has created one, its kernfs operations are replaced,
 * and its .open gives the file our file operations. The file holds a reference to the module of its own, for
 * kernfs releases it under the feet of a removed entry.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kernfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>
#include <linux/uio.h>

#include "kapi.h"

static struct kernfs_open_file *to_of(struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

static int (*kernfs_release)(struct inode *inode, struct file *file);

/* {=== code ================================================================================== */

static ssize_t code_read(struct kiocb *iocb, struct iov_iter *to)
{
	return lunatik_code_read(to_of(iocb->ki_filp)->priv, to, &iocb->ki_pos);
}

static ssize_t code_write(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t written = lunatik_code_write(to_of(iocb->ki_filp)->priv, from);

	if (written > 0)
		iocb->ki_pos = 0;
	return written;
}

static int code_flush(struct file *file, fl_owner_t id)
{
	if (!(file->f_mode & FMODE_WRITE) || file_count(file) != 1)
		return 0;
	return lunatik_code_commit(to_of(file)->priv, lunatik_commit_kind(), file->f_flags & O_NONBLOCK);
}

static int code_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	if (!(file->f_mode & FMODE_WRITE))
		return 0;
	return lunatik_code_commit(to_of(file)->priv, LUNATIK_COMMIT_HERE, file->f_flags & O_NONBLOCK);
}

static int code_release(struct inode *inode, struct file *file)
{
	lunatik_code_release(to_of(file)->priv);
	return kernfs_release(inode, file);
}

/* ============================================================================================ }
 * {=== data ================================================================================== */

static ssize_t data_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;

	return lunatik_data_read(to_of(file)->priv, to, &iocb->ki_pos, file->f_flags & O_NONBLOCK);
}

static ssize_t data_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	ssize_t written = lunatik_data_write(to_of(file)->priv, from, file->f_flags & O_NONBLOCK);

	/* What is read next is a message. */
	iocb->ki_pos = 0;
	return written;
}

static __poll_t data_poll(struct file *file, struct poll_table_struct *wait)
{
	int state = lunatik_data_poll(to_of(file)->priv, file, wait);
	__poll_t ready = EPOLLOUT | EPOLLWRNORM;

	if (state & LUNATIK_POLL_READABLE)
		ready |= EPOLLIN | EPOLLRDNORM;
	if (state & LUNATIK_POLL_CLOSED)
		ready |= EPOLLHUP;
	return ready;
}

static int data_release(struct inode *inode, struct file *file)
{
	lunatik_state_put(to_of(file)->priv);
	return kernfs_release(inode, file);
}

/* ============================================================================================ }
 * {=== nodes ================================================================================= */

static struct file_operations code_fops, data_fops;
static DEFINE_MUTEX(fops_lock);

/* Makes our copies of kernfs's file operations, once. */
static void make_fops(const struct file_operations *kernfs_fops)
{
	mutex_lock(&fops_lock);
	if (!kernfs_release) {
		code_fops = (struct file_operations) {
			.owner = THIS_MODULE,
			.read_iter = code_read,
			.write_iter = code_write,
			.flush = code_flush,
			.fsync = code_fsync,
			.llseek = kernfs_fops->llseek,
			.release = code_release,
		};
		data_fops = (struct file_operations) {
			.owner = THIS_MODULE,
			.read_iter = data_read,
			.write_iter = data_write,
			.poll = data_poll,
			.llseek = no_seek_end_llseek,
			.release = data_release,
		};
		kernfs_release = kernfs_fops->release;
	}
	mutex_unlock(&fops_lock);
}

/* Called by kernfs with an active reference to the node held: its directory is alive. */
static int node_open(struct kernfs_open_file *of, int (*open)(void *state, void **priv),
		     const struct file_operations *fops)
{
	struct bin_attribute *attr = of->kn->priv;
	struct lunatik_node *node = container_of(attr, struct lunatik_node, attr);
	int err;

	if (!lunatik_may_open(of->file))
		return -EPERM;
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	err = open(node->state, &of->priv);
	if (err) {
		module_put(THIS_MODULE);
		return err;
	}
	make_fops(of->file->f_op);
	/* From here on __fput puts the module. */
	of->file->f_op = fops;
	return 0;
}

static int code_open(struct kernfs_open_file *of)
{
	return node_open(of, lunatik_code_open, &code_fops);
}

static int take_state(void *state, void **priv)
{
	lunatik_state_get(state);
	*priv = state;
	return 0;
}

static int data_open(struct kernfs_open_file *of)
{
	/* A reader who waits must not hold the position's lock, for which others would wait unkillably. */
	of->file->f_mode &= ~FMODE_ATOMIC_POS;
	return node_open(of, take_state, &data_fops);
}

/* kernfs asks for these before it lets a file be opened for reading or writing; they never run. */
static ssize_t unused_io(struct kernfs_open_file *of, char *buf, size_t bytes, loff_t off)
{
	return -EIO;
}

static const struct kernfs_ops code_node_ops = {
	.open = code_open,
	.read = unused_io,
	.write = unused_io,
};

static const struct kernfs_ops data_node_ops = {
	.open = data_open,
	.read = unused_io,
	.write = unused_io,
};

static int add_node(struct kobject *kobj, struct lunatik_node *node, const char *name, const struct kernfs_ops *ops)
{
	struct kernfs_node *kn;
	int err;

	sysfs_bin_attr_init(&node->attr);
	node->attr.attr.name = name;
	node->attr.attr.mode = 0600;
	err = sysfs_create_bin_file(kobj, &node->attr);
	if (err)
		return err;
	kn = kernfs_find_and_get_ns(kobj->sd, name, NULL);
	if (!kn)
		return -ENOENT;
	WRITE_ONCE(kn->attr.ops, ops);
	kernfs_put(kn);
	return 0;
}

int lunatik_nodes_add(struct kobject *kobj, struct lunatik_node *nodes, void *state)
{
	int err;

	nodes[0].state = state;
	nodes[1].state = state;
	err = add_node(kobj, &nodes[0], "code", &code_node_ops);
	return err ? err : add_node(kobj, &nodes[1], "data", &data_node_ops);
}

/* ============================================================================================ } */
