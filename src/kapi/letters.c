// SPDX-License-Identifier: GPL-2.0-only
/*
 * Letters: messages of packed values between states, and the handles by which states know each other.
 *
 * A letter is put into its receiver's queue and handled by the receiver's work item; it counts there, by the memory that it
 * takes, until it was read, and the queue holds `queuebytes` at most. What finds no room waits in the receiver's `overflow`,
 * in the order in which it came, if its sender can wait: a receipt tells that when it has found some. Of one
 * state no more than `queuebytes` waits so. What the module itself sends (receipts, failures, ends) is made of memory that
 * was had before, and always finds room.
 *
 * A handle is never given twice. Who has one gets a reference to the queue, by RCU, not to the state: a queue that
 * closes takes no letters. Any context but hard interrupt, unless said otherwise. Locks: one queue's at a time.
 */
#include <linux/atomic.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "../lua/block.h"
#include "../lua/letter.h"
#include "queue.h"

#define LETTER		256	/* bytes of a letter with room for values of its own */
#define SMALLEST	512	/* bytes of a further piece */

static DEFINE_XARRAY_FLAGS(handles, XA_FLAGS_LOCK_BH);
static atomic64_t last_handle;

static size_t limit(void)
{
	return clamp_t(size_t, lunatik_queuebytes, 65536, 1 << 30);
}

static struct list_head *link_of(struct lunatik_letter *letter)
{
	BUILD_BUG_ON(sizeof(letter->link) != sizeof(struct list_head));
	BUILD_BUG_ON(offsetof(struct lunatik_letter, link) != 0);
	return (struct list_head *)letter;
}

static struct lunatik_letter *first_of(struct list_head *list)
{
	return list_empty(list) ? NULL : (struct lunatik_letter *)list->next;
}

static struct lunatik_letter *take_first(struct list_head *list)
{
	struct lunatik_letter *letter = first_of(list);

	if (letter)
		list_del(link_of(letter));
	return letter;
}

/* --- memory --- */

int lunatik_parcel_grow(struct lunatik_parcel *parcel, unsigned int room)
{
	size_t size = clamp_t(size_t, max_t(size_t, room, parcel->size) + sizeof(struct lunatik_piece), SMALLEST, PAGE_SIZE);
	struct lunatik_piece *piece;

	if (parcel->size + size > parcel->limit)
		return -LUNATIK_TOO_LONG;
	piece = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!piece)
		return -LUNATIK_NO_MEMORY;
	piece->next = NULL;
	piece->used = 0;
	piece->room = size - sizeof(*piece);
	parcel->last->next = piece;
	parcel->last = piece;
	parcel->size += size;
	return 0;
}

int lunatik_parcel_refer(struct lunatik_parcel *parcel, void *block)
{
	size_t size = sizeof(struct lunatik_reference) + ((struct lunatik_block *)block)->cost;
	struct lunatik_reference *reference;

	if (parcel->size + size > parcel->limit)
		return -LUNATIK_TOO_LONG;
	reference = kmalloc(sizeof(*reference), GFP_ATOMIC | __GFP_NOWARN);
	if (!reference)
		return -LUNATIK_NO_MEMORY;
	reference->block = block;
	reference->next = parcel->references;
	parcel->references = reference;
	parcel->size += size;
	return 0;
}

struct lunatik_letter *lunatik_letter_new(struct lunatik_queue *queue, int kind, long long session, bool small)
{
	size_t size = small ? sizeof(struct lunatik_letter) : LETTER;
	struct lunatik_letter *letter = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);

	if (!letter)
		return NULL;
	memset(letter, 0, sizeof(*letter));
	INIT_LIST_HEAD(link_of(letter));
	letter->source = queue->handle;
	letter->session = session;
	letter->kind = kind;
	letter->parcel.size = size;
	letter->parcel.limit = limit();
	letter->parcel.last = &letter->parcel.first;
	letter->parcel.first.room = size - sizeof(*letter);
	return letter;
}

static void free_pieces(struct lunatik_letter *letter)
{
	struct lunatik_piece *piece, *next;
	struct lunatik_reference *reference;

	while ((reference = letter->parcel.references)) {
		letter->parcel.references = reference->next;
		lunatik_block_put(reference->block);
		kfree(reference);
	}

	for (piece = letter->parcel.first.next; piece; piece = next) {
		next = piece->next;
		kfree(piece);
	}
	letter->parcel.first.next = NULL;
	letter->parcel.last = &letter->parcel.first;
	letter->parcel.values = 0;
}

void lunatik_letter_free(struct lunatik_letter *letter)
{
	free_pieces(letter);
	kfree(letter->receipt);
	kfree(letter);
}

/* --- handles --- */

u64 lunatik_handle_new(void)
{
	return atomic64_inc_return(&last_handle);
}

static void end_state(struct work_struct *work)
{
	struct lunatik_queue *queue = container_of(work, struct lunatik_queue, end_work);
	void *state = queue->state;

	lunatik_state_end(state);
	lunatik_state_put(state);
}

/* Enters the handle of a new queue. Process context; 0 or a negative errno. */
int lunatik_letters_init(struct lunatik_queue *queue)
{
	INIT_LIST_HEAD(&queue->letters);
	INIT_LIST_HEAD(&queue->held);
	INIT_LIST_HEAD(&queue->overflow);
	INIT_LIST_HEAD(&queue->watchers);
	INIT_WORK(&queue->end_work, end_state);
	refcount_set(&queue->refs, 1);
	return xa_insert_bh(&handles, queue->handle, queue, GFP_KERNEL);
}

struct lunatik_queue *lunatik_context_get(long long handle)
{
	struct lunatik_queue *queue;

	if (handle <= 0)
		return NULL;
	rcu_read_lock();
	queue = xa_load(&handles, handle);
	if (queue && (!READ_ONCE(queue->open) || !refcount_inc_not_zero(&queue->refs)))
		queue = NULL;
	rcu_read_unlock();
	return queue;
}

void lunatik_context_put(struct lunatik_queue *queue)
{
	if (refcount_dec_and_test(&queue->refs))
		kfree_rcu(queue, rcu);
}

long long lunatik_context_find(const char *name)
{
	struct lunatik_queue *queue;
	unsigned long handle;
	long long found = 0;

	rcu_read_lock();
	xa_for_each(&handles, handle, queue) {
		if (READ_ONCE(queue->open) && !READ_ONCE(queue->closing) && strcmp(queue->name, name) == 0) {
			found = handle;
			break;
		}
	}
	rcu_read_unlock();
	return found;
}

/* A reference to the living state of that handle; NULL for none. */
void *lunatik_handle_state(u64 handle)
{
	struct lunatik_queue *queue = lunatik_context_get(handle);
	void *state = NULL;

	if (!queue)
		return NULL;
	spin_lock_bh(&queue->lock);
	if (!queue->closing) {
		state = queue->state;
		lunatik_state_get(state);
	}
	spin_unlock_bh(&queue->lock);
	lunatik_context_put(queue);
	return state;
}

long long lunatik_queue_handle(const struct lunatik_queue *queue)
{
	return queue->handle;
}

long long lunatik_queue_parent(const struct lunatik_queue *queue)
{
	return queue->parent;
}

int lunatik_cpu(void)
{
	return raw_smp_processor_id();
}

/* --- posting --- */

/* Under the queue's lock. */
static bool takes_letters(struct lunatik_queue *queue)
{
	return queue->open && !queue->closing && !queue->leaving;
}

static void append(struct lunatik_queue *queue, struct lunatik_letter *letter, size_t charge)
{
	letter->charge = charge;
	queue->charged += charge;
	list_add_tail(link_of(letter), &queue->letters);
	lunatik_queue_kick(queue);
}

static bool fits(struct lunatik_queue *queue, struct lunatik_letter *letter)
{
	return queue->charged + letter->parcel.size <= limit();
}

/* Queues a letter of the module's own for the state of that handle, or frees it. */
static void deliver(u64 handle, struct lunatik_letter *letter)
{
	struct lunatik_queue *queue = lunatik_context_get(handle);

	if (queue) {
		spin_lock_bh(&queue->lock);
		if (!queue->closing) {
			append(queue, letter, 0);
			letter = NULL;
		} else if (!queue->purged) {
			/* What waits for it may still look at it. */
			letter->charge = 0;
			list_add_tail(link_of(letter), &queue->held);
			letter = NULL;
		}
		spin_unlock_bh(&queue->lock);
		lunatik_context_put(queue);
	}
	if (letter)
		lunatik_letter_free(letter);
}

/* What of the state of that handle waits elsewhere has become less. */
static void waits_less(u64 handle, size_t size)
{
	struct lunatik_queue *queue = lunatik_context_get(handle);

	if (!queue)
		return;
	spin_lock_bh(&queue->lock);
	queue->waiting -= min(size, queue->waiting);
	spin_unlock_bh(&queue->lock);
	lunatik_context_put(queue);
}

int lunatik_letter_post(struct lunatik_queue *to, struct lunatik_letter *letter)
{
	int err = 0;

	spin_lock_bh(&to->lock);
	if (!takes_letters(to))
		err = -LUNATIK_GONE;
	else if (!list_empty(&to->overflow) || !fits(to, letter))
		err = -LUNATIK_FULL;
	else
		append(to, letter, letter->parcel.size);
	spin_unlock_bh(&to->lock);
	return err;
}

int lunatik_letter_queue(struct lunatik_queue *to, struct lunatik_queue *from, struct lunatik_letter *letter)
{
	u64 source = letter->source;
	size_t size = letter->parcel.size;
	struct lunatik_letter *receipt;
	int err = lunatik_letter_post(to, letter);

	if (err != -LUNATIK_FULL)
		return err;
	spin_lock_bh(&from->lock);
	if (from->waiting + size <= limit()) {
		from->waiting += size;
		err = 1;
	}
	spin_unlock_bh(&from->lock);
	if (err < 0)
		return err;
	spin_lock_bh(&to->lock);
	if (!takes_letters(to)) {
		err = -LUNATIK_GONE;
	} else if (list_empty(&to->overflow) && fits(to, letter)) {
		/* Room was made meanwhile. */
		receipt = letter->receipt;
		letter->receipt = NULL;
		append(to, letter, size);
		err = 0;
	} else {
		list_add_tail(link_of(letter), &to->overflow);
	}
	spin_unlock_bh(&to->lock);
	if (err <= 0)
		waits_less(source, size);
	if (err == 0)
		kfree(receipt);
	return err;
}

/* Lets in what waits for room, as far as there is. */
static void let_in(struct lunatik_queue *queue)
{
	for (;;) {
		struct lunatik_letter *letter, *receipt;
		size_t size;
		u64 source;

		spin_lock_bh(&queue->lock);
		letter = first_of(&queue->overflow);
		if (!letter || queue->closing || !fits(queue, letter)) {
			spin_unlock_bh(&queue->lock);
			return;
		}
		list_del(link_of(letter));
		source = letter->source;
		size = letter->parcel.size;
		receipt = letter->receipt;
		letter->receipt = NULL;
		append(queue, letter, size);
		spin_unlock_bh(&queue->lock);
		waits_less(source, size);
		if (receipt)
			deliver(source, receipt);
	}
}

/* --- what the state does with its letters --- */

struct lunatik_letter *lunatik_letters_next(struct lunatik_queue *queue)
{
	struct lunatik_letter *letter = first_of(&queue->letters);

	if (letter)
		list_move_tail(link_of(letter), &queue->held);
	return letter;
}

struct lunatik_letter *lunatik_letters_start(struct lunatik_queue *queue)
{
	struct lunatik_letter *letter = queue->start;

	queue->start = NULL;
	if (letter)
		list_add_tail(link_of(letter), &queue->held);
	return letter;
}

/* Takes a letter out of the queue for good. */
static void take_out(struct lunatik_queue *queue, struct lunatik_letter *letter)
{
	bool waited;

	spin_lock_bh(&queue->lock);
	list_del_init(link_of(letter));
	queue->charged -= letter->charge;
	letter->charge = 0;
	waited = !list_empty(&queue->overflow);
	spin_unlock_bh(&queue->lock);
	if (waited)
		let_in(queue);
}

void lunatik_letter_done(struct lunatik_queue *queue, struct lunatik_letter *letter)
{
	take_out(queue, letter);
	lunatik_letter_free(letter);
}

/* A query that is in no list goes back. */
static void send_back(struct lunatik_queue *queue, struct lunatik_letter *letter, int code)
{
	u64 source = letter->source;

	free_pieces(letter);
	letter->kind = LUNATIK_LETTER_FAILED;
	letter->code = code;
	letter->source = queue->handle;
	deliver(source, letter);
}

void lunatik_letter_return(struct lunatik_queue *queue, struct lunatik_letter *letter, int code)
{
	take_out(queue, letter);
	if (letter->kind == LUNATIK_LETTER_QUERY)
		send_back(queue, letter, code);
	else
		lunatik_letter_free(letter);
}

bool lunatik_letter_watch(struct lunatik_queue *on, struct lunatik_letter *letter)
{
	bool open;

	spin_lock_bh(&on->lock);
	/* One that is ending will have ended. */
	open = !on->purged;
	if (open) {
		letter->linked = 1;
		list_add_tail(link_of(letter), &on->watchers);
	}
	spin_unlock_bh(&on->lock);
	return open;
}

void lunatik_letter_unwatch(long long on, struct lunatik_letter *letter)
{
	struct lunatik_queue *queue = lunatik_context_get(on);
	bool linked = false;

	/* Of one that has ended it comes back, for nobody. */
	if (!queue)
		return;
	spin_lock_bh(&queue->lock);
	if (letter->linked) {
		list_del(link_of(letter));
		linked = true;
	}
	spin_unlock_bh(&queue->lock);
	lunatik_context_put(queue);
	if (linked)
		lunatik_letter_free(letter);
}

void lunatik_context_leave(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	queue->leaving = true;
	lunatik_queue_kick(queue);
	spin_unlock_bh(&queue->lock);
}

/* --- life --- */

/* The state has been published. Process context. */
void lunatik_queue_open(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	queue->open = !queue->closing;
	spin_unlock_bh(&queue->lock);
}

/* Has a new context begin with what the letter holds, unless it is ending. */
void lunatik_queue_begin(struct lunatik_queue *queue, struct lunatik_letter *letter)
{
	spin_lock_bh(&queue->lock);
	if (!queue->closing) {
		queue->start = letter;
		queue->begun = true;
		lunatik_queue_kick(queue);
		letter = NULL;
	}
	spin_unlock_bh(&queue->lock);
	if (letter)
		lunatik_letter_free(letter);
}

/* Has a context look whether it is over. Any context. */
void lunatik_queue_look(struct lunatik_queue *queue)
{
	spin_lock_bh(&queue->lock);
	lunatik_queue_kick(queue);
	spin_unlock_bh(&queue->lock);
}

void lunatik_letters_look(struct lunatik_queue *queue)
{
	bool over;

	over = queue->context && lunatik_state_is_over(queue->state);
	spin_lock_bh(&queue->lock);
	if (over && queue->begun && !queue->start)
		queue->leaving = true;
	if (queue->leaving && !queue->ended && !queue->closing && list_empty(&queue->letters)) {
		queue->ended = true;
		lunatik_state_get(queue->state);
		/* It waits for the work item that runs this. */
		queue_work(lunatik_workqueue(), &queue->end_work);
	}
	spin_unlock_bh(&queue->lock);
}

/*
 * The Lua is closed: queries go back unanswered, and who waits for the end is told of it. Process context, once or more
 * often.
 */
void lunatik_queue_purge(struct lunatik_queue *queue)
{
	struct lunatik_letter *letter, *receipt, *start;
	LIST_HEAD(letters);
	LIST_HEAD(overflow);

	xa_erase_bh(&handles, queue->handle);
	spin_lock_bh(&queue->lock);
	queue->purged = true;
	start = queue->start;
	queue->start = NULL;
	list_splice_init(&queue->held, &letters);
	list_splice_tail_init(&queue->letters, &letters);
	list_splice_init(&queue->overflow, &overflow);
	spin_unlock_bh(&queue->lock);
	if (start)
		lunatik_letter_free(start);
	while ((letter = take_first(&letters))) {
		if (letter->kind == LUNATIK_LETTER_QUERY)
			send_back(queue, letter, LUNATIK_NO_REPLY);
		else
			lunatik_letter_free(letter);
	}
	while ((letter = take_first(&overflow))) {
		waits_less(letter->source, letter->parcel.size);
		receipt = letter->receipt;
		letter->receipt = NULL;
		if (receipt) {
			receipt->code = LUNATIK_GONE;
			deliver(letter->source, receipt);
		}
		if (letter->kind == LUNATIK_LETTER_QUERY)
			send_back(queue, letter, LUNATIK_NO_REPLY);
		else
			lunatik_letter_free(letter);
	}
	for (;;) {
		u64 source;

		/* One at a time: each may be taken back until it is on its way. */
		spin_lock_bh(&queue->lock);
		letter = take_first(&queue->watchers);
		if (letter)
			letter->linked = 0;
		spin_unlock_bh(&queue->lock);
		if (!letter)
			return;
		source = letter->source;
		letter->source = queue->handle;
		deliver(source, letter);
	}
}

/* Nothing is queued, and the state is not found any more. */
void lunatik_queue_free(struct lunatik_queue *queue)
{
	if (!queue)
		return;
	if (!queue->purged)
		xa_erase_bh(&handles, queue->handle);
	lunatik_context_put(queue);
}
