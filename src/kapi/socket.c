// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets of a state, the kernel's half: made in the state's network namespace, used in call-outs, closed when they are
 * collected, or when the state or the namespace goes.
 *
 * Everything but the wake-ups runs in process context without the state's lock, on whatever task runs the script; it may
 * sleep, but never waits for the network: what cannot be done yet is -EAGAIN, and a watch (watch.h) says when to try again.
 * The wake-ups come to an entry in the socket's own wait queue, as epoll's do, so they are those of every protocol. The
 * credentials are the kernel's and paths begin at the root of the first process, whoever runs the script.
 *
 * An object has a reference of its userdata, one of the namespace's list while it is open, and one of each watch and call.
 * Only an open socket counts against `maxsockets`, and as SOCKET_BYTES against `totalmax`; what it buffers is bounded by the
 * kernel's own limits (tcp_mem, SO_RCVBUF, SO_SNDBUF).
 *
 * Locks: the object's mutex, held while something is done with the socket and while it is closed, before the protocol's own
 * locks; the wait queue's (interrupts off), then that of the events' queue. What a socket is asked and told by option stands
 * in sockopt.c.
 */
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/in.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/un.h>
#include <net/af_unix.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "kapi.h"
#include "socket.h"
#include "../lua/outbox.h"

/* About what an open socket takes of the machine: a struct tcp6_sock, its inode and this object. */
#define SOCKET_BYTES	4096

/* Exported by net/unix/af_unix.c without a header. */
long unix_inq_len(struct sock *sk);

/* poll of UDP looks at the flags of a file, and kernel sockets have none. */
static struct file no_file = { .f_flags = O_NONBLOCK };

#define IN_EVENTS	(EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLPRI)
#define OUT_EVENTS	(EPOLLOUT | EPOLLWRNORM)
#define BOTH_EVENTS	(EPOLLERR | EPOLLHUP)

static u32 wait_mask(__poll_t events)
{
	u32 mask = 0;

	if (events & (IN_EVENTS | BOTH_EVENTS))
		mask |= LUNATIK_SOCK_IN;
	if (events & (OUT_EVENTS | BOTH_EVENTS))
		mask |= LUNATIK_SOCK_OUT;
	return mask;
}

/* What can be done now. The object's lock is held, and it is open. */
static u32 ready(struct lunatik_sock *s)
{
	return wait_mask(READ_ONCE(s->socket->ops)->poll(&no_file, s->socket, NULL));
}

/* The socket has news. Any context, interrupts off. */
static int woken(wait_queue_entry_t *entry, unsigned int mode, int sync, void *key)
{
	struct lunatik_sock *s = container_of(entry, struct lunatik_sock, entry);
	__poll_t events = key_to_poll(key);
	/* A change of state says nothing more. */
	u32 mask = events ? wait_mask(events) : LUNATIK_SOCK_IN | LUNATIK_SOCK_OUT;
	struct lunatik_outbox *out = smp_load_acquire(&s->out);

	if (out && mask & LUNATIK_SOCK_OUT)
		lunatik_outbox_kick(out);
	lunatik_source_fire(&s->source, mask);
	return 0;
}

/* {=== life ================================================================================== */

/*
 * A TCP socket without a reference to its namespace stops its timers when it is closed, for the namespace may be going: what
 * it has not sent yet would be lost with the first segment that is. While the namespace lives it gets one, as the sockets
 * of programs have, and keeps it until the peer has everything.
 */
static void let_linger(struct lunatik_sock *s, struct socket *socket)
{
	struct sock *sk = socket->sk;
	struct net *net;

	if (!sk_is_tcp(sk) || sk->sk_net_refcnt || sk->sk_state == TCP_LISTEN || sk->sk_state == TCP_CLOSE)
		return;
	net = lunatik_netns_get(s->member.netns);
	if (!net)
		return;
	sk_net_refcnt_upgrade(sk);
	put_net(net);
}

static void uncount(struct lunatik_netns *netns)
{
	lunatik_netns_give_socket(netns);
	lunatik_give_back(SOCKET_BYTES);
}

static void close_socket(struct lunatik_member *member)
{
	struct lunatik_sock *s = container_of(member, struct lunatik_sock, member);
	struct socket *socket;

	mutex_lock(&s->lock);
	socket = s->socket;
	s->socket = NULL;
	mutex_unlock(&s->lock);
	/* After this no wake-up is under way. */
	remove_wait_queue(&socket->wq.wait, &s->entry);
	let_linger(s, socket);
	sock_release(socket);
	if (s->out)
		lunatik_outbox_closed(s->out);
	uncount(member->netns);
	lunatik_source_fire_all(&s->source);
}

static void free_object(struct lunatik_member *member)
{
	struct lunatik_sock *s = container_of(member, struct lunatik_sock, member);

	if (s->out)
		lunatik_outbox_put(s->out);
	kfree(s);
}

static const struct lunatik_member_ops member_ops = { .leave = close_socket, .free = free_object, .counted = true };

void lunatik_sock_get(struct lunatik_sock *s)
{
	lunatik_member_get(&s->member);
}

void lunatik_sock_put(struct lunatik_sock *s)
{
	lunatik_member_put(&s->member);
}

static void put_source(struct lunatik_source *source)
{
	lunatik_sock_put(container_of(source, struct lunatik_sock, source));
}

void lunatik_sock_retire(struct lunatik_sock *s)
{
	lunatik_member_retire(&s->member);
}

void lunatik_sock_pass(struct lunatik_sock *s, unsigned int wait)
{
	lunatik_source_fire(&s->source, wait);
}

int lunatik_sock_handle(const struct lunatik_sock *s)
{
	return s->handle;
}

unsigned long long lunatik_sock_clock(void)
{
	return ktime_get_ns();
}

/* An object without a socket, which counts as one. */
static struct lunatik_sock *new_object(struct lunatik_netns *netns, struct lunatik_queue *queue)
{
	struct lunatik_sock *s;
	int handle = lunatik_netns_take_socket(netns);

	if (handle < 0)
		return ERR_PTR(handle);
	s = lunatik_lend(SOCKET_BYTES) ? kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT) : NULL;
	if (!s) {
		lunatik_netns_give_socket(netns);
		return ERR_PTR(-ENOMEM);
	}
	lunatik_member_init(&s->member, &member_ops);
	lunatik_source_init(&s->source, queue, put_source);
	mutex_init(&s->lock);
	init_waitqueue_func_entry(&s->entry, woken);
	s->handle = handle;
	return s;
}

/* There is no socket for it after all. */
static void drop_object(struct lunatik_sock *s, struct lunatik_netns *netns)
{
	uncount(netns);
	kfree(s);
}

/* Gives the object its socket, which is released if the state or its namespace goes: then it is -ENETDOWN. */
static int open_object(struct lunatik_sock *s, struct lunatik_netns *netns, struct socket *socket)
{
	s->socket = socket;
	add_wait_queue(&socket->wq.wait, &s->entry);
	if (lunatik_member_join(&s->member, netns))
		return 0;
	remove_wait_queue(&socket->wq.wait, &s->entry);
	sock_release(socket);
	drop_object(s, netns);
	return -ENETDOWN;
}

static int make(struct lunatik_sockcall *c, struct lunatik_sock **made)
{
	struct lunatik_sock *s = new_object(c->netns, c->queue);
	struct socket *socket;
	struct net *net;
	int err = -ENETDOWN;

	if (IS_ERR(s))
		return PTR_ERR(s);
	net = lunatik_netns_get(c->netns);
	if (net) {
		err = sock_create_kern(net, c->family, c->type, c->protocol, &socket);
		put_net(net);
	}
	if (err) {
		drop_object(s, c->netns);
		return err;
	}
	err = open_object(s, c->netns, socket);
	if (!err)
		*made = s;
	return err;
}

static void unmake(struct lunatik_sock *s)
{
	lunatik_member_leave(&s->member);
	lunatik_sock_put(s);
}

static int make_pair(struct lunatik_sockcall *c)
{
	struct lunatik_sock *a, *b;
	int err = make(c, &a);

	if (err)
		return err;
	err = make(c, &b);
	if (err) {
		unmake(a);
		return err;
	}
	/* Nobody knows them yet, but the namespace may go. */
	mutex_lock(&a->lock);
	mutex_lock_nested(&b->lock, SINGLE_DEPTH_NESTING);
	err = a->socket && b->socket ? a->socket->ops->socketpair(a->socket, b->socket) : -ENETDOWN;
	mutex_unlock(&b->lock);
	mutex_unlock(&a->lock);
	if (err) {
		unmake(a);
		unmake(b);
		return err;
	}
	c->made = a;
	c->other = b;
	return 0;
}

/* ============================================================================================ }
 * {=== what is done with an open socket, under the object's lock ============================== */

static struct sockaddr_unsized *address_of(struct lunatik_sockcall *c)
{
	return (struct sockaddr_unsized *)c->address->raw;
}

static int connect_to(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	int err = kernel_connect(s->socket, address_of(c), c->address->len, O_NONBLOCK);

	/* The queue of a Unix socket is full; nobody tells when it no longer is. */
	c->blind = err == -EAGAIN;
	return err;
}

static int accept_one(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	struct lunatik_netns *netns = s->member.netns;
	struct lunatik_sock *made;
	struct socket *socket;
	int err;

	if (s->socket->sk->sk_state == TCP_LISTEN && !(ready(s) & LUNATIK_SOCK_IN))
		return -EAGAIN;
	/* Before there is a peer that would see the connection go. */
	made = new_object(netns, s->source.queue);
	if (IS_ERR(made))
		return PTR_ERR(made);
	err = kernel_accept(s->socket, &socket, O_NONBLOCK);
	if (err) {
		drop_object(made, netns);
		return err;
	}
	err = open_object(made, netns, socket);
	if (!err)
		c->made = made;
	return err;
}

static long send_bytes(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | c->flags };
	struct kvec part = { .iov_base = c->bytes, .iov_len = min_t(unsigned long, c->len, MAX_RW_COUNT) };
	long n;

	if (c->address && c->address->len) {
		msg.msg_name = c->address->raw;
		msg.msg_namelen = c->address->len;
	}
	n = kernel_sendmsg(s->socket, &msg, &part, 1, part.iov_len);
	/* A full receiver tells those who are connected to it. */
	c->blind = n == -EAGAIN && msg.msg_name && s->socket->sk->sk_family == AF_UNIX;
	return n;
}

/* How much there is to be received, as far as that is known; of a datagram, all of it. */
static long available(struct socket *socket)
{
	struct sock *sk = socket->sk;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };

	if (sk_is_tcp(sk))
		return sk->sk_state == TCP_LISTEN ? 0 : tcp_inq(sk);
	if (sk->sk_type == SOCK_STREAM)
		return sk->sk_family == AF_UNIX ? unix_inq_len(sk) : 0;
	return kernel_recvmsg(socket, &msg, NULL, 0, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
}

static long receive_bytes(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | c->flags };
	struct kvec part = { .iov_base = c->bytes, .iov_len = c->len };
	long n;

	if (c->len < c->want) {
		n = available(s->socket);
		/* To be asked took the error off. */
		if (n < 0)
			return n;
		n = min_t(long, n, c->want);
		if (n > (long)c->len) {
			c->need = n;
			return -ENOBUFS;
		}
	}
	if (c->address)
		msg.msg_name = c->address->raw;
	n = kernel_recvmsg(s->socket, &msg, &part, 1, part.iov_len, msg.msg_flags);
	if (c->address)
		c->address->len = n >= 0 ? msg.msg_namelen : 0;
	return n;
}

static int listen_for(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	unsigned int most = READ_ONCE(sock_net(s->socket->sk)->core.sysctl_somaxconn);

	return kernel_listen(s->socket, min_t(unsigned int, c->value, most));
}

static int get_name(struct lunatik_sock *s, struct lunatik_sockcall *c, int peer)
{
	int len = READ_ONCE(s->socket->ops)->getname(s->socket, (struct sockaddr *)c->address->raw, peer);

	c->address->len = max(len, 0);
	return min(len, 0);
}

static long operate(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	switch (c->op) {
	case LUNATIK_SOCK_BIND:
		return kernel_bind(s->socket, address_of(c), c->address->len);
	case LUNATIK_SOCK_LISTEN:
		return listen_for(s, c);
	case LUNATIK_SOCK_CONNECT:
		return connect_to(s, c);
	case LUNATIK_SOCK_ACCEPT:
		return accept_one(s, c);
	case LUNATIK_SOCK_SEND:
		return send_bytes(s, c);
	case LUNATIK_SOCK_RECV:
		return receive_bytes(s, c);
	case LUNATIK_SOCK_SET:
		return lunatik_sock_set(s->socket, c);
	case LUNATIK_SOCK_GET:
		return lunatik_sock_option(s->socket, c);
	case LUNATIK_SOCK_NAME:
		return get_name(s, c, 0);
	case LUNATIK_SOCK_PEER:
		return get_name(s, c, 1);
	case LUNATIK_SOCK_SHUTDOWN:
		return kernel_sock_shutdown(s->socket, c->value);
	case LUNATIK_SOCK_ATMARK:
		return lunatik_sock_atmark(s->socket);
	case LUNATIK_SOCK_READY:
		return ready(s);
	case LUNATIK_SOCK_IFINDEX:
		return lunatik_sock_ifindex(s->socket, c);
	case LUNATIK_SOCK_IFNAME:
		return lunatik_sock_ifname(s->socket, c);
	default:
		return -EOPNOTSUPP;
	}
}

/* ============================================================================================ }
 * {=== calls ================================================================================= */

static bool not_yet(long result)
{
	return result == -EAGAIN || result == -EINPROGRESS || result == -EALREADY;
}

static void call_open(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	if (c->wait && !c->again && lunatik_source_is_watched(&s->source, c->wait))
		c->result = -EAGAIN;	/* others came first */
	else
		c->result = operate(s, c);
	if (!c->wait)
		return;
	if (!not_yet(c->result)) {
		/* One wake-up may stand for what is enough for two. */
		if (lunatik_source_is_watched(&s->source, c->wait) && (ready(s) & c->wait))
			lunatik_source_fire(&s->source, c->wait);
		return;
	}
	if (!c->watch)
		return;
	lunatik_sock_get(s);
	lunatik_watch_add(c->watch, &s->source, c->blind ? 0 : c->wait, c->again);
	c->watched = 1;
	/* What came before the watch did not fire it. */
	if (!c->blind && (ready(s) & c->wait))
		lunatik_source_fire(&s->source, c->wait);
}

/* Shuts it down, if that is wanted, and closes it; who waits finds it closed. */
static int close_now(struct lunatik_sock *s, struct lunatik_sockcall *c)
{
	int err = 0;

	mutex_lock(&s->lock);
	s->closing = true;
	if (s->socket && c->value)
		err = kernel_sock_shutdown(s->socket, SHUT_RDWR);
	mutex_unlock(&s->lock);
	return lunatik_member_leave(&s->member) ? err : -EBADF;
}

static void run(struct lunatik_sockcall *c)
{
	struct lunatik_sock *s = c->sock;

	switch (c->op) {
	case LUNATIK_SOCK_CREATE:
		c->result = make(c, &c->made);
		return;
	case LUNATIK_SOCK_PAIR:
		c->result = make_pair(c);
		return;
	case LUNATIK_SOCK_CLOSE:
		c->result = close_now(s, c);
		return;
	default:
		break;
	}
	mutex_lock(&s->lock);
	if (s->socket && !s->closing)
		call_open(s, c);
	else
		c->result = -EBADF;
	mutex_unlock(&s->lock);
}

void lunatik_sock_run(void *arg)
{
	struct lunatik_sockcall *c = arg;
	bool path = c->address && c->address->len && *(const sa_family_t *)c->address->raw == AF_UNIX;

	scoped_with_kernel_creds() {
		if (path) {
			scoped_with_init_fs()
				run(c);
		} else {
			run(c);
		}
	}
}

/* ============================================================================================ } */
