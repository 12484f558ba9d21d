// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is written to a stream socket and the peer does not take yet, for the tcp library.
 *
 * A write is done at once, by the task that runs the script, in a call-out; what the socket has no room for waits here as
 * a piece, with a reference to a block (../lua/block.h), and is sent by a work item when the socket says so. So any state may
 * write to a socket that its owner shares, in any context, and the owner's script need not run for it. Pages of a block go
 * to the socket without a copy. `queuebytes` bounds what one outbox keeps for writers that do not wait.
 *
 * Who sends has set `sending`; there is one at a time, and it holds no lock while it does. Locks: that of an outbox is
 * innermost, interrupts off, for the socket's wake-ups come under its wait queue's lock; `numbers` has one of its own.
 */
#include <linux/in.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/socket.h>
#include <linux/unaligned.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/sock.h>

#include "kapi.h"
#include "socket.h"
#include "../lua/block.h"
#include "../lua/outbox.h"

/* From so many bytes on, pages are lent and not copied. */
#define LEND_MIN	4096
/* So many pieces one sender sends before it leaves the rest to the work item. */
#define TURN		64
#define LINGER		(30 * HZ)

struct lunatik_piece {
	struct list_head link;
	struct lunatik_source source;	/* who waits for it, if anybody */
	struct lunatik_block *block;
	const char *bytes;
	size_t len;			/* not sent yet */
	size_t size;			/* what it counts as */
	u8 head[4];
	u8 head_len;			/* not sent yet, the last ones */
	u8 head_size;
	bool done;
	refcount_t refs;
	long result;
};

struct lunatik_outbox {
	spinlock_t lock;
	struct list_head pieces;
	size_t bytes;
	struct lunatik_sock *sock;	/* NULL when it is closed; no reference */
	int error;			/* of a send that failed; all later ones do */
	bool sending;
	bool again;			/* the socket had news meanwhile */
	bool closing;
	bool shared;
	struct lunatik_framing framing;
	int fd;
	refcount_t refs;
	struct work_struct work;
	struct delayed_work late;
};

/* Numbers of all outboxes that are open. */
static DEFINE_XARRAY_FLAGS(numbers, XA_FLAGS_ALLOC1 | XA_FLAGS_LOCK_BH);
static u32 last_number;

void lunatik_outbox_put(struct lunatik_outbox *out)
{
	if (refcount_dec_and_test(&out->refs))
		kfree(out);
}

int lunatik_outbox_fd(const struct lunatik_outbox *out)
{
	return out->fd;
}

void lunatik_outbox_share(struct lunatik_outbox *out, int shared)
{
	WRITE_ONCE(out->shared, shared);
}

void lunatik_outbox_frame(struct lunatik_outbox *out, const struct lunatik_framing *framing)
{
	out->framing = *framing;
}

void lunatik_outbox_fail(struct lunatik_outbox *out, int err)
{
	unsigned long flags;

	spin_lock_irqsave(&out->lock, flags);
	if (!out->error)
		out->error = err;
	spin_unlock_irqrestore(&out->lock, flags);
}

/* {=== pieces ================================================================================ */

void lunatik_piece_put(struct lunatik_piece *piece)
{
	if (!refcount_dec_and_test(&piece->refs))
		return;
	if (piece->block)
		lunatik_block_put(piece->block);
	if (piece->source.queue)
		lunatik_queue_put(piece->source.queue);
	kfree(piece);
}

static void put_source(struct lunatik_source *source)
{
	lunatik_piece_put(container_of(source, struct lunatik_piece, source));
}

int lunatik_piece_done(const struct lunatik_piece *piece, long *result)
{
	bool done = smp_load_acquire(&piece->done);

	if (done)
		*result = piece->result;
	return done;
}

void lunatik_piece_watch(struct lunatik_piece *piece, struct lunatik_event *watch)
{
	refcount_inc(&piece->refs);
	lunatik_watch_add(watch, &piece->source, 1, false);
	/* What came before the watch did not fire it. */
	if (READ_ONCE(piece->done))
		lunatik_source_fire_all(&piece->source);
}

/* A piece is through; the list's reference goes. */
static void finish(struct lunatik_piece *piece, long result)
{
	piece->result = result;
	smp_store_release(&piece->done, true);
	if (piece->source.queue)
		lunatik_source_fire_all(&piece->source);
	lunatik_piece_put(piece);
}

static void finish_all(struct list_head *pieces, long result)
{
	struct lunatik_piece *piece, *next;

	list_for_each_entry_safe(piece, next, pieces, link) {
		list_del_init(&piece->link);
		finish(piece, result);
	}
}

static void begin_piece(struct lunatik_piece *piece, struct lunatik_outbox *out, struct lunatik_write *w)
{
	const struct lunatik_framing *framing = &out->framing;

	memset(piece, 0, sizeof(*piece));
	INIT_LIST_HEAD(&piece->link);
	piece->block = w->block;
	piece->bytes = w->bytes;
	piece->len = w->len;
	piece->head_len = piece->head_size = framing->bytes;
	switch (framing->bytes) {
	case 1:
		piece->head[0] = w->len;
		break;
	case 2:
		framing->big ? put_unaligned_be16(w->len, piece->head) : put_unaligned_le16(w->len, piece->head);
		break;
	case 4:
		framing->big ? put_unaligned_be32(w->len, piece->head) : put_unaligned_le32(w->len, piece->head);
		break;
	}
}

/* A piece like `from`, which has been sent in part, to wait; NULL when memory is out. */
static struct lunatik_piece *keep_piece(const struct lunatik_piece *from, struct lunatik_write *w, gfp_t gfp)
{
	struct lunatik_piece *piece = kmalloc(sizeof(*piece), gfp);
	struct lunatik_block *block = from->block;

	if (!piece)
		return NULL;
	if (block) {
		lunatik_block_get(block);
	} else {
		block = lunatik_block_new(from->len, 1);
		if (!block) {
			kfree(piece);
			return NULL;
		}
		memcpy(block->bytes, from->bytes, from->len);
		block->used = from->len;
	}
	*piece = *from;
	INIT_LIST_HEAD(&piece->link);
	if (!from->block)
		piece->bytes = block->bytes;
	piece->block = block;
	piece->size = piece->len + piece->head_len;
	refcount_set(&piece->refs, 1);
	if (w->keep) {
		/* The writer's state may go before its piece does. */
		lunatik_queue_get(w->queue);
		lunatik_source_init(&piece->source, w->queue, put_source);
	}
	return piece;
}

/* ============================================================================================ }
 * {=== sending =============================================================================== */

static long send(struct lunatik_sock *sock, const void *bytes, size_t len, int flags)
{
	struct lunatik_sockcall call = {
		.sock = sock,
		.op = LUNATIK_SOCK_SEND,
		.bytes = (char *)bytes,
		.len = len,
		.flags = flags,
	};

	lunatik_sock_run(&call);
	return call.result;
}

/* Sends what the socket takes now: 0 when that was all, else a negative errno. Process context. */
static long send_piece(struct lunatik_sock *sock, struct lunatik_piece *piece)
{
	while (piece->head_len || piece->len) {
		int flags = 0;
		long n;

		if (piece->head_len) {
			n = send(sock, piece->head + piece->head_size - piece->head_len, piece->head_len,
				 piece->len ? MSG_MORE : 0);
			if (n < 0)
				return n;
			piece->head_len -= n;
			continue;
		}
		if (piece->block && piece->len >= LEND_MIN && lunatik_block_has_pages(piece->block)) {
			lunatik_block_lent(piece->block);
			flags = MSG_SPLICE_PAGES;
		}
		n = send(sock, piece->bytes, piece->len, flags);
		if (n < 0)
			return n;
		piece->bytes += n;
		piece->len -= n;
		cond_resched();
	}
	return 0;
}

/* True when the socket takes more by now; else its wake-up will come. Process context. */
static bool takes_more(struct lunatik_sock *sock)
{
	struct lunatik_sockcall call = { .sock = sock, .op = LUNATIK_SOCK_READY };

	lunatik_sock_run(&call);
	return call.result < 0 || call.result & LUNATIK_SOCK_OUT;
}

static void queue_work_for(struct lunatik_outbox *out)
{
	refcount_inc(&out->refs);
	if (!queue_work(lunatik_workqueue(), &out->work))
		refcount_dec(&out->refs);
}

/* Who sends is through: hands over what is left. The lock is held; returns a socket to be closed, with a reference. */
static struct lunatik_sock *stop_sending(struct lunatik_outbox *out, bool more)
{
	out->sending = false;
	if (more) {
		queue_work_for(out);
		return NULL;
	}
	if (!out->closing || !out->sock || (!list_empty(&out->pieces) && !out->error))
		return NULL;
	lunatik_sock_get(out->sock);
	return out->sock;
}

/* Sends pieces until none is left, or the socket takes no more. `sending` is ours. Process context. */
static void send_pieces(struct lunatik_outbox *out)
{
	struct lunatik_sock *sock, *over;
	struct lunatik_piece *piece;
	unsigned long flags;
	int turns = 0;
	LIST_HEAD(failed);

	for (;;) {
		bool blocked = false;
		long err;

		spin_lock_irqsave(&out->lock, flags);
		sock = out->sock;
		if (!sock || out->error)
			list_splice_init(&out->pieces, &failed);
		piece = list_first_entry_or_null(&out->pieces, struct lunatik_piece, link);
		if (!piece || ++turns > TURN)
			break;
		list_del_init(&piece->link);
		lunatik_sock_get(sock);
		out->again = false;
		spin_unlock_irqrestore(&out->lock, flags);

		err = send_piece(sock, piece);
		blocked = err == -EAGAIN && !takes_more(sock);
		lunatik_sock_put(sock);

		spin_lock_irqsave(&out->lock, flags);
		if (err == -EAGAIN && out->sock) {
			list_add(&piece->link, &out->pieces);
			if (blocked && !out->again)
				goto wait;
			spin_unlock_irqrestore(&out->lock, flags);
			continue;
		}
		out->bytes -= piece->size;
		if (err && !out->error)
			out->error = err == -EAGAIN ? -EBADF : err;
		spin_unlock_irqrestore(&out->lock, flags);
		finish(piece, err == -EAGAIN ? -EBADF : err);
	}
	over = stop_sending(out, piece);
	goto out;
wait:
	out->sending = false;
	over = NULL;
out:
	if (!list_empty(&failed))
		out->bytes = 0;
	spin_unlock_irqrestore(&out->lock, flags);
	finish_all(&failed, out->error ?: -EBADF);
	if (over) {
		lunatik_sock_retire(over);
		lunatik_sock_put(over);
	}
}

static void send_later(struct work_struct *work)
{
	struct lunatik_outbox *out = container_of(work, struct lunatik_outbox, work);
	unsigned long flags;
	bool mine;

	spin_lock_irqsave(&out->lock, flags);
	mine = !out->sending;
	out->sending = true;
	out->again = true;
	spin_unlock_irqrestore(&out->lock, flags);
	if (mine)
		send_pieces(out);
	lunatik_outbox_put(out);
}

/* The socket has room. Any context, interrupts off. */
void lunatik_outbox_kick(struct lunatik_outbox *out)
{
	spin_lock(&out->lock);
	out->again = true;
	if (!out->sending && !list_empty(&out->pieces))
		queue_work_for(out);
	spin_unlock(&out->lock);
}

void lunatik_sock_busy(void *arg)
{
	struct lunatik_sockcall *c = arg;

	c->result = -EAGAIN;
	if (!c->watch)
		return;
	lunatik_sock_get(c->sock);
	lunatik_watch_add(c->watch, &c->sock->source, 0, false);
	c->watched = 1;
	c->blind = 1;
}

/* ============================================================================================ }
 * {=== writes ================================================================================ */

/* The outbox that a write is for, with a reference; NULL, and the write's result, for none. Any context. */
static struct lunatik_outbox *find_outbox(struct lunatik_write *w)
{
	struct lunatik_outbox *out = w->out;

	w->piece = NULL;
	if (out) {
		refcount_inc(&out->refs);
		return out;
	}
	xa_lock_bh(&numbers);
	out = xa_load(&numbers, w->fd);
	if (out && !refcount_inc_not_zero(&out->refs))
		out = NULL;
	xa_unlock_bh(&numbers);
	w->result = -EBADF;
	if (!out)
		return NULL;
	w->result = READ_ONCE(out->shared) ? 0 : LUNATIK_WRITE_UNSHARED;
	if (w->result == 0 && out->framing.bytes && w->len > out->framing.most)
		w->result = LUNATIK_WRITE_LONG;
	if (w->result) {
		lunatik_outbox_put(out);
		return NULL;
	}
	return out;
}

/* Why nothing can be written; 0 if it can. The lock is held. */
static long refusal(struct lunatik_outbox *out, struct lunatik_write *w)
{
	if (out->error)
		return out->error;
	if (!out->sock || out->closing)
		return -EBADF;
	if (w->bounded && out->bytes && out->bytes + w->len > lunatik_queuebytes)
		return -EAGAIN;
	return 0;
}

/* Adds a piece, whose reference becomes the list's; the lock is held. */
static void add_piece(struct lunatik_outbox *out, struct lunatik_piece *piece, struct lunatik_write *w, bool first)
{
	out->bytes += piece->size;
	list_add(&piece->link, first ? &out->pieces : out->pieces.prev);
	if (w->keep) {
		refcount_inc(&piece->refs);
		w->piece = piece;
	}
	w->result = LUNATIK_WRITTEN_LATER;
}

/* Nothing waits, so it is sent from where it lies. `sending` is ours. */
static void write_now(struct lunatik_outbox *out, struct lunatik_sock *sock, struct lunatik_write *w)
{
	struct lunatik_piece now, *piece = NULL;
	unsigned long flags;
	long err;

	begin_piece(&now, out, w);
	err = send_piece(sock, &now);
	lunatik_sock_put(sock);
	if (err == -EAGAIN) {
		piece = keep_piece(&now, w, GFP_KERNEL_ACCOUNT);
		if (!piece)
			err = -ENOMEM;
	}
	spin_lock_irqsave(&out->lock, flags);
	if (piece) {
		add_piece(out, piece, w, true);
	} else {
		/* A part of it may be gone: whatever came after it would be misunderstood. */
		if (err && !out->error)
			out->error = err;
		w->result = err;
	}
	spin_unlock_irqrestore(&out->lock, flags);
	send_pieces(out);
}

void lunatik_outbox_write(void *arg)
{
	struct lunatik_write *w = arg;
	struct lunatik_outbox *out = find_outbox(w);
	struct lunatik_piece whole, *piece;
	struct lunatik_sock *sock = NULL;
	unsigned long flags;

	if (!out)
		return;
	spin_lock_irqsave(&out->lock, flags);
	w->result = refusal(out, w);
	if (!w->result && !out->sending && list_empty(&out->pieces)) {
		out->sending = true;
		sock = out->sock;
		lunatik_sock_get(sock);
	}
	spin_unlock_irqrestore(&out->lock, flags);
	if (sock) {
		write_now(out, sock, w);
	} else if (!w->result) {
		begin_piece(&whole, out, w);
		piece = keep_piece(&whole, w, GFP_KERNEL_ACCOUNT);
		spin_lock_irqsave(&out->lock, flags);
		w->result = piece ? refusal(out, w) : -ENOMEM;
		if (!w->result) {
			add_piece(out, piece, w, false);
			/* The sender may have stopped meanwhile; if it only waits for room, this does no harm. */
			if (!out->sending)
				queue_work_for(out);
			piece = NULL;
		}
		spin_unlock_irqrestore(&out->lock, flags);
		if (piece)
			lunatik_piece_put(piece);
	}
	lunatik_outbox_put(out);
}

void lunatik_outbox_post(struct lunatik_write *w)
{
	struct lunatik_outbox *out = find_outbox(w);
	struct lunatik_piece whole, *piece;
	unsigned long flags;

	if (!out)
		return;
	begin_piece(&whole, out, w);
	piece = keep_piece(&whole, w, GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
	spin_lock_irqsave(&out->lock, flags);
	w->result = piece ? refusal(out, w) : -ENOMEM;
	if (!w->result) {
		add_piece(out, piece, w, false);
		queue_work_for(out);
		piece = NULL;
	}
	spin_unlock_irqrestore(&out->lock, flags);
	if (piece)
		lunatik_piece_put(piece);
	lunatik_outbox_put(out);
}

/* ============================================================================================ }
 * {=== life ================================================================================== */

static void close_late(struct work_struct *work)
{
	struct lunatik_outbox *out = container_of(to_delayed_work(work), struct lunatik_outbox, late);
	struct lunatik_sock *sock;
	unsigned long flags;

	spin_lock_irqsave(&out->lock, flags);
	sock = out->sock;
	if (sock)
		lunatik_sock_get(sock);
	spin_unlock_irqrestore(&out->lock, flags);
	if (sock) {
		lunatik_sock_retire(sock);
		lunatik_sock_put(sock);
	}
	lunatik_outbox_put(out);
}

struct lunatik_outbox *lunatik_outbox_new(struct lunatik_sock *sock)
{
	struct lunatik_outbox *out = kzalloc(sizeof(*out), GFP_KERNEL_ACCOUNT);
	u32 fd;
	int err;

	if (!out)
		return NULL;
	lunatik_spin_init(&out->lock, LUNATIK_LOCK_QUEUE);
	INIT_LIST_HEAD(&out->pieces);
	INIT_WORK(&out->work, send_later);
	INIT_DELAYED_WORK(&out->late, close_late);
	refcount_set(&out->refs, 1);
	err = xa_alloc_cyclic_bh(&numbers, &fd, out, XA_LIMIT(1, INT_MAX), &last_number, GFP_KERNEL_ACCOUNT);
	if (err < 0) {
		kfree(out);
		return NULL;
	}
	out->fd = fd;
	mutex_lock(&sock->lock);
	if (sock->socket) {
		out->sock = sock;
		refcount_inc(&out->refs);
		smp_store_release(&sock->out, out);
	}
	mutex_unlock(&sock->lock);
	if (!out->sock) {
		xa_erase_bh(&numbers, fd);
		lunatik_outbox_put(out);
		return NULL;
	}
	return out;
}

/* The socket is closed. Process context. */
void lunatik_outbox_closed(struct lunatik_outbox *out)
{
	unsigned long flags;
	LIST_HEAD(pieces);

	xa_erase_bh(&numbers, out->fd);
	spin_lock_irqsave(&out->lock, flags);
	out->sock = NULL;
	out->bytes = 0;
	list_splice_init(&out->pieces, &pieces);
	spin_unlock_irqrestore(&out->lock, flags);
	finish_all(&pieces, -EBADF);
	if (cancel_delayed_work(&out->late))
		lunatik_outbox_put(out);
}

void lunatik_outbox_close(struct lunatik_outbox *out)
{
	struct lunatik_sock *sock;
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&out->lock, flags);
	sock = out->sock;
	idle = out->error || (list_empty(&out->pieces) && !out->sending);
	if (sock) {
		lunatik_sock_get(sock);
		if (!idle && !out->closing) {
			refcount_inc(&out->refs);
			if (!queue_delayed_work(lunatik_workqueue(), &out->late, LINGER))
				refcount_dec(&out->refs);
		}
		out->closing = true;
	}
	spin_unlock_irqrestore(&out->lock, flags);
	if (!sock)
		return;
	if (idle)
		lunatik_sock_retire(sock);
	else
		lunatik_source_fire_all(&sock->source);
	lunatik_sock_put(sock);
}

/* ============================================================================================ } */
