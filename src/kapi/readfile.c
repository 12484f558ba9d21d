// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a module's file whole, as the work of an operation (event.c): for `require`.
 *
 * Context: a work item, so the credentials are the kernel's, and paths start at the root of the first process.
 * Nothing but a regular file is ever opened: a pipe or a device could keep the work item waiting for ever.
 * kernel_read_file is for what the kernel itself runs: it knows no kind of file for others, and security
 * modules warn of one they do not know.
 */
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/mm.h>
#include <linux/namei.h>
#include <linux/slab.h>

#include "kapi.h"
#include "../../lua/kernel/file_status.h"
#include "../lua/readfile.h"

static ssize_t read_text(struct file *file, char *text, loff_t size)
{
	loff_t pos = 0;

	while (pos < size) {
		ssize_t got = kernel_read(file, text + pos, size - pos, &pos);

		if (got <= 0)
			return got ? got : -EIO;	/* it has become shorter meanwhile */
	}
	return 0;
}

static ssize_t read_open(struct lunatik_readfile *request, struct file *file)
{
	loff_t size = i_size_read(file_inode(file));
	char *text;
	ssize_t err;

	if (size > lunatik_scriptmax)
		return -EFBIG;
	if (size <= 0)
		return 0;
	if (!lunatik_lend(size))
		return -ENOMEM;
	text = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	err = text ? read_text(file, text, size) : -ENOMEM;
	if (err) {
		kvfree(text);
		lunatik_give_back(size);
		return err;
	}
	request->text = text;
	request->len = size;
	return 0;
}

static ssize_t read_path(struct lunatik_readfile *request, const struct path *path)
{
	struct file *file;
	ssize_t err;

	if (request->look)
		return 0;
	file = dentry_open(path, O_RDONLY, current_cred());
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = read_open(request, file);
	fput(file);
	return err;
}

static enum lunatik_file_status status_of(ssize_t err)
{
	switch (err) {
	case 0:
		return LUNATIK_FILE_READ;
	case -ENOENT:
	case -ENOTDIR:
	case -ENAMETOOLONG:
		return LUNATIK_FILE_ABSENT;
	case -EFBIG:
		return LUNATIK_FILE_LONG;
	case -ENOMEM:
		return LUNATIK_FILE_NOMEM;
	default:
		return LUNATIK_FILE_BROKEN;
	}
}

/* From the root of the first process. */
static int look_up(const char *name, struct path *path)
{
	int err = 0;
#ifdef scoped_with_init_fs
	scoped_with_init_fs()
		err = kern_path(name, LOOKUP_FOLLOW, path);
#else
	/* Before 7.3 kernel threads share their root with it. */
	struct path root;

	get_fs_root(init_task.fs, &root);
	err = vfs_path_lookup(root.dentry, root.mnt, name, LOOKUP_FOLLOW, path);
	path_put(&root);
#endif
	return err;
}

void lunatik_readfile_run(void *file)
{
	struct lunatik_readfile *request = file;
	struct path path;
	int err;

	err = look_up(request->path, &path);
	if (err) {
		request->status = status_of(err);
		return;
	}
	request->status = S_ISREG(d_inode(path.dentry)->i_mode) ? status_of(read_path(request, &path)) :
								  LUNATIK_FILE_IRREGULAR;
	path_put(&path);
}

void lunatik_readfile_free(struct lunatik_readfile *file)
{
	if (!file->text)
		return;
	kvfree(file->text);
	lunatik_give_back(file->len);
	file->text = NULL;
	file->len = 0;
}
