// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses for the tcp library: from text and to text, and the removal of a Unix socket's name.
 *
 * Process context; removing a name sleeps.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/inet.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/socket.h>
#include <linux/un.h>

#include "../lua/outbox.h"
#include "../lua/sock.h"

int lunatik_tcp_address(struct lunatik_address *address, int family, const char *host, unsigned int port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address->raw;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address->raw;

	memset(address->raw, 0, sizeof(address->raw));
	if (family == AF_INET) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		address->len = sizeof(*in);
		return in4_pton(host, -1, (u8 *)&in->sin_addr, -1, NULL) ? 0 : -EINVAL;
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	address->len = sizeof(*in6);
	return in6_pton(host, -1, in6->sin6_addr.s6_addr, -1, NULL) ? 0 : -EINVAL;
}

int lunatik_tcp_unix(struct lunatik_address *address, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)address->raw;
	size_t len = strlen(path);

	if (len == 0)
		return -EINVAL;
	if (len >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	memset(address->raw, 0, sizeof(address->raw));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len);
	address->len = offsetof(struct sockaddr_un, sun_path) + len + 1;
	return 0;
}

int lunatik_tcp_name(const struct lunatik_address *address, char *text, unsigned long size, int *port)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address->raw;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address->raw;

	if (address->len >= (int)sizeof(*in) && in->sin_family == AF_INET) {
		snprintf(text, size, "%pI4", &in->sin_addr);
		*port = ntohs(in->sin_port);
		return 0;
	}
	if (address->len >= (int)sizeof(*in6) && in6->sin6_family == AF_INET6) {
		snprintf(text, size, "%pI6c", &in6->sin6_addr);
		*port = ntohs(in6->sin6_port);
		return 0;
	}
	return -1;
}

static int unlink_path(const char *name)
{
	struct dentry *parent, *dentry;
	struct path path;
	int err = kern_path(name, 0, &path);

	if (err)
		return err;
	if (!S_ISSOCK(d_inode(path.dentry)->i_mode)) {
		path_put(&path);
		return -EADDRINUSE;
	}
	err = mnt_want_write(path.mnt);
	if (!err) {
		parent = dget_parent(path.dentry);
		dentry = start_removing_dentry(parent, path.dentry);
		err = PTR_ERR_OR_ZERO(dentry);
		if (!err) {
			err = vfs_unlink(mnt_idmap(path.mnt), d_inode(parent), dentry, NULL);
			end_dirop(dentry);
		}
		dput(parent);
		mnt_drop_write(path.mnt);
	}
	path_put(&path);
	return err;
}

int lunatik_tcp_unlink(const struct lunatik_address *address)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)address->raw;
	int err;

	scoped_with_kernel_creds()
		scoped_with_init_fs()
			err = unlink_path(un->sun_path);
	return err == -ENOENT ? 0 : err;
}
