// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/lunatik/ctl and the directories /sys/kernel/lunatik/NAME: the tables of function pointers, and the
 * private pointer of each open ctl; what the files mean is Rust's business (src/ctl, src/attrs.rs).
 *
 * Context: process, no locks held. Module life: procfs releases a file under the feet of a removed entry, so
 * every open file holds a reference to the module of its own. `code` and `data` are nodes of our own making
 * (node.c).
 */
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fdtable.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/uio.h>

#include "kapi.h"

bool lunatik_may_open(const struct file *file)
{
	return file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN);
}

/* What is to become of the script of a task that closes its file now. */
enum lunatik_commit lunatik_commit_kind(void)
{
	if (fatal_signal_pending(current) ||
	    ((current->flags & PF_EXITING) && (current->signal->group_exit_code & 0x7f)))
		return LUNATIK_COMMIT_NEVER;
	if ((current->flags & (PF_EXITING | PF_KTHREAD)) || current->in_execve)
		return LUNATIK_COMMIT_LATER;
	return LUNATIK_COMMIT_HERE;
}

/* {=== /proc/lunatik/ctl ==================================================================== */

static int ctl_release(struct inode *inode, struct file *file)
{
	lunatik_ctl_release(file->private_data);
	return 0;
}

static ssize_t ctl_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;

	return lunatik_ctl_read(file->private_data, to, &iocb->ki_pos, file->f_flags & O_NONBLOCK);
}

static ssize_t ctl_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct file *file = iocb->ki_filp;
	ssize_t written = lunatik_ctl_write(file->private_data, from, file->f_flags & O_NONBLOCK);

	/* The reply is read from its beginning, that of a failed request as well. */
	file->f_pos = 0;
	iocb->ki_pos = 0;
	return written;
}

static int ctl_flush(struct file *file, fl_owner_t id)
{
	if (!(file->f_mode & FMODE_WRITE) || file_count(file) != 1)
		return 0;
	return lunatik_ctl_flush(file->private_data, lunatik_commit_kind() != LUNATIK_COMMIT_HERE);
}

static loff_t ctl_lseek(struct file *file, loff_t offset, int whence)
{
	loff_t pos = no_seek_end_llseek(file, offset, whence);

	if (pos == 0)
		lunatik_ctl_rewind(file->private_data);
	return pos;
}

static __poll_t ctl_poll(struct file *file, struct poll_table_struct *wait)
{
	__poll_t ready = EPOLLOUT | EPOLLWRNORM;

	if (lunatik_ctl_readable(file->private_data, file, wait))
		ready |= EPOLLIN | EPOLLRDNORM;
	return ready;
}

static const struct file_operations ctl_fops = {
	.owner = THIS_MODULE,
	.read_iter = ctl_read,
	.write_iter = ctl_write,
	.flush = ctl_flush,
	.llseek = ctl_lseek,
	.poll = ctl_poll,
	.release = ctl_release,
};

/*
 * procfs knows neither flush nor whole-file module references, so its file operations are replaced
 * by ours at open; __fput puts the module reference with them.
 */
static int ctl_open(struct inode *inode, struct file *file)
{
	int err;

	if (!lunatik_may_open(file))
		return -EPERM;
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	err = lunatik_ctl_open(&file->private_data);
	if (err) {
		module_put(THIS_MODULE);
		return err;
	}
	file->f_op = &ctl_fops;
	/* Who waits in a request must not hold the position's lock, for which others would wait unkillably. */
	file->f_mode &= ~FMODE_ATOMIC_POS;
	return 0;
}

/* .proc_lseek and .proc_read_iter tell procfs what the file can do; they never run. */
static const struct proc_ops ctl_proc_ops = {
	.proc_open = ctl_open,
	.proc_read_iter = ctl_read,
	.proc_lseek = ctl_lseek,
};

static struct proc_dir_entry *proc_dir;

/* ============================================================================================ }
 * {=== /sys/kernel/lunatik/NAME ============================================================== */

struct lunatik_dir {
	struct kobject kobj;
	void *state;
	struct lunatik_node nodes[LUNATIK_NODES];
};

enum { ATTR_MAXALLOC, ATTR_CURRALLOC, ATTR_STATS };

struct lunatik_attr {
	struct attribute attr;
	int which;
};

static struct lunatik_attr attr_maxalloc = { { .name = "maxalloc", .mode = 0644 }, ATTR_MAXALLOC };
static struct lunatik_attr attr_curralloc = { { .name = "curralloc", .mode = 0444 }, ATTR_CURRALLOC };
static struct lunatik_attr attr_stats = { { .name = "stats", .mode = 0444 }, ATTR_STATS };

static struct attribute *dir_attrs[] = {
	&attr_maxalloc.attr,
	&attr_curralloc.attr,
	&attr_stats.attr,
	NULL,
};
ATTRIBUTE_GROUPS(dir);

static struct lunatik_dir *to_dir(struct kobject *kobj)
{
	return container_of(kobj, struct lunatik_dir, kobj);
}

static ssize_t dir_show(struct kobject *kobj, struct attribute *attr, char *page)
{
	struct lunatik_attr *a = container_of(attr, struct lunatik_attr, attr);

	return lunatik_attr_show(to_dir(kobj)->state, a->which, page, PAGE_SIZE);
}

static ssize_t dir_store(struct kobject *kobj, struct attribute *attr, const char *text, size_t len)
{
	struct lunatik_attr *a = container_of(attr, struct lunatik_attr, attr);

	return lunatik_attr_store(to_dir(kobj)->state, a->which, text, len);
}

static const struct sysfs_ops dir_sysfs_ops = {
	.show = dir_show,
	.store = dir_store,
};

static atomic_t dirs_alive = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(dirs_gone);

static void dir_release(struct kobject *kobj)
{
	struct lunatik_dir *dir = to_dir(kobj);

	lunatik_state_put(dir->state);
	kfree(dir);
	if (atomic_dec_and_test(&dirs_alive))
		wake_up_all(&dirs_gone);
}

static const struct kobj_type dir_type = {
	.release = dir_release,
	.sysfs_ops = &dir_sysfs_ops,
	.default_groups = dir_groups,
};

static struct kset *dirs;

struct lunatik_dir *lunatik_dir_add(const char *name, void *state)
{
	struct lunatik_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL_ACCOUNT);
	int err;

	if (!dir) {
		lunatik_state_put(state);
		return NULL;
	}
	atomic_inc(&dirs_alive);
	dir->state = state;
	dir->kobj.kset = dirs;
	err = kobject_init_and_add(&dir->kobj, &dir_type, NULL, "%s", name);
	if (!err)
		err = lunatik_nodes_add(&dir->kobj, dir->nodes, state);
	if (err) {
		kobject_put(&dir->kobj);
		return NULL;
	}
	kobject_uevent(&dir->kobj, KOBJ_ADD);
	return dir;
}

void lunatik_dir_remove(struct lunatik_dir *dir)
{
	kobject_del(&dir->kobj);
	kobject_put(&dir->kobj);
}

/* ============================================================================================ }
 * {=== life of the module ==================================================================== */

int lunatik_files_init(void)
{
	dirs = kset_create_and_add("lunatik", NULL, kernel_kobj);
	if (!dirs)
		return -ENOMEM;
	proc_dir = proc_mkdir_mode("lunatik", 0500, NULL);
	if (!proc_dir || !proc_create("ctl", 0600, proc_dir, &ctl_proc_ops)) {
		lunatik_files_exit();
		return -ENOMEM;
	}
	return 0;
}

/* Every state is gone; waits until the last directory has let go of its own. */
void lunatik_files_exit(void)
{
	if (proc_dir)
		remove_proc_subtree("lunatik", NULL);
	wait_event(dirs_gone, atomic_read(&dirs_alive) == 0);
	kset_unregister(dirs);
}

/* ============================================================================================ } */
