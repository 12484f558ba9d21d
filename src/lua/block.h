/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blocks: bytes in kernel memory, counted, that buffers, sockets and states share (src/kapi/block.c). It needs neither
 * Lua's headers nor the kernel's.
 *
 * What lies below `used` never changes while anybody else can see the block. Any context, unless said otherwise.
 */
#ifndef LUNATIK_BLOCK_H
#define LUNATIK_BLOCK_H

struct lunatik_block {
	char *bytes;
	unsigned long size;	/* how many there is room for */
	unsigned long used;	/* how many have been written; see lunatik_block_claim */
	unsigned long cost;	/* bytes of memory that it takes: what a state that holds it is charged */
};

/*
 * A block with room for `size` bytes and one reference, none of them used; NULL when there is no memory, or `totalmax`
 * is reached. With `sleep` 1 in process context only.
 */
struct lunatik_block *lunatik_block_new(unsigned long size, int sleep);

/* What such a block will cost. */
unsigned long lunatik_block_cost(unsigned long size);

/* One reference more, one less; that of the empty block need not be counted. */
void lunatik_block_get(struct lunatik_block *block);
void lunatik_block_put(struct lunatik_block *block);

/* A reference to a part of a block, as a block that begins with it; NULL when there is no memory. Does not sleep. */
struct lunatik_block *lunatik_block_slice(struct lunatik_block *block, unsigned long offset, unsigned long len);

/* True when the caller has the only reference, and nobody reads what was written: then `used` may be set back. */
int lunatik_block_alone(const struct lunatik_block *block);

/* Takes the `n` bytes after offset `end` for the caller to write, if they are the first that are not used. */
int lunatik_block_claim(struct lunatik_block *block, unsigned long end, unsigned long n);

/* True when a socket may have pages of it by reference; then it must be told. */
int lunatik_block_has_pages(const struct lunatik_block *block);
void lunatik_block_lent(struct lunatik_block *block);

#endif
