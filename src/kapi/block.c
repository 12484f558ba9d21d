// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blocks of bytes that buffers, sockets and states share (see ../lua/block.h).
 *
 * A small block is kmalloc's. A larger one has pages of its own, each with its own count, so a socket may keep
 * pages of it (MSG_SPLICE_PAGES) after the block is gone; such a block is never written again where it was written
 * once. Real memory is part of `totalmax`. Context: any, also under a state's lock; nothing here locks.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "kapi.h"
#include "../lua/block.h"

/* Up to it, in bytes, with the header, a block is kmalloc's: to copy it costs less than to count its pages. */
#define SMALL		2048
/* Up to it pages are in one piece. */
#define CONTIGUOUS	32768

enum kind { FROM_SLAB, FROM_PAGES, FROM_VMALLOC, PART };

struct block {
	struct lunatik_block shared;
	struct block *parent;	/* of a part */
	refcount_t refs;
	u8 kind;
	u8 lent;		/* sockets may have pages of it */
	char bytes[];
};

static struct block *block_of(const struct lunatik_block *shared)
{
	return container_of(shared, struct block, shared);
}

static struct block *whole(struct block *block)
{
	return block->kind == PART ? block->parent : block;
}

unsigned long lunatik_block_cost(unsigned long size)
{
	unsigned long total = sizeof(struct block) + size;

	return total <= SMALL ? kmalloc_size_roundup(total) : PAGE_ALIGN(total);
}

struct lunatik_block *lunatik_block_new(unsigned long size, int sleep)
{
	gfp_t gfp = sleep ? GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN :
			    GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT;
	struct block *block;
	unsigned long cost;
	enum kind kind;

	if (size > INT_MAX)
		return NULL;
	cost = lunatik_block_cost(size);
	if (!lunatik_lend(cost))
		return NULL;
	if (cost <= SMALL) {
		kind = FROM_SLAB;
		block = kmalloc(cost, gfp);
	} else if (!sleep || cost <= CONTIGUOUS) {
		kind = FROM_PAGES;
		block = alloc_pages_exact(cost, gfp);
	} else {
		kind = FROM_VMALLOC;
		block = __vmalloc(cost, gfp);
	}
	if (!block) {
		lunatik_give_back(cost);
		return NULL;
	}
	block->shared.bytes = block->bytes;
	block->shared.size = size;
	block->shared.used = 0;
	block->shared.cost = cost;
	block->parent = NULL;
	refcount_set(&block->refs, 1);
	block->kind = kind;
	block->lent = false;
	return &block->shared;
}

void lunatik_block_get(struct lunatik_block *shared)
{
	refcount_inc(&block_of(shared)->refs);
}

void lunatik_block_put(struct lunatik_block *shared)
{
	struct block *block = block_of(shared), *parent;

	while (block && refcount_dec_and_test(&block->refs)) {
		unsigned long cost = block->shared.cost;

		parent = block->parent;
		switch (block->kind) {
		case FROM_SLAB:
			kfree(block);
			break;
		case FROM_PAGES:
			free_pages_exact(block, cost);
			break;
		case FROM_VMALLOC:
			/* Under a lock with bottom halves off it is put off. */
			vfree(block);
			break;
		case PART:
			kfree(block);
			cost = 0;
			break;
		}
		lunatik_give_back(cost);
		block = parent;
	}
}

struct lunatik_block *lunatik_block_slice(struct lunatik_block *shared, unsigned long offset, unsigned long len)
{
	struct block *parent = whole(block_of(shared)), *part;

	if (offset == 0) {
		lunatik_block_get(shared);
		return shared;
	}
	part = kmalloc(sizeof(*part), GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!part)
		return NULL;
	refcount_inc(&parent->refs);
	part->shared.bytes = shared->bytes + offset;
	part->shared.size = len;
	part->shared.used = len;
	part->shared.cost = parent->shared.cost;
	part->parent = parent;
	refcount_set(&part->refs, 1);
	part->kind = PART;
	part->lent = false;
	return &part->shared;
}

int lunatik_block_alone(const struct lunatik_block *shared)
{
	struct block *block = block_of(shared);

	if (block->kind == PART || refcount_read(&block->refs) != 1)
		return false;
	/* Whoever put the last other reference may have lent pages before. */
	smp_rmb();
	return !READ_ONCE(block->lent);
}

int lunatik_block_claim(struct lunatik_block *shared, unsigned long end, unsigned long n)
{
	if (n > shared->size - end)
		return false;
	return try_cmpxchg(&shared->used, &end, end + n);
}

int lunatik_block_has_pages(const struct lunatik_block *shared)
{
	return whole(block_of(shared))->kind != FROM_SLAB;
}

void lunatik_block_lent(struct lunatik_block *shared)
{
	WRITE_ONCE(whole(block_of(shared))->lent, true);
}
