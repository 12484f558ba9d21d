/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is written to a stream socket, from the socket's own state or any other: see src/kapi/outbox.c. It needs neither
 * Lua's headers nor the kernel's.
 */
#ifndef LUNATIK_OUTBOX_H
#define LUNATIK_OUTBOX_H

struct lunatik_address;
struct lunatik_block;
struct lunatik_event;
struct lunatik_outbox;
struct lunatik_piece;
struct lunatik_queue;
struct lunatik_sock;

/* How the length of a message stands before it. */
struct lunatik_framing {
	unsigned int most;	/* bytes of a message at most */
	unsigned char bytes;	/* of the length: 0 (none), 1, 2 or 4 */
	unsigned char big;	/* endian */
};

/* Results of a write that are not a negative errno. */
enum lunatik_written {
	LUNATIK_WRITTEN = 0,	/* the kernel has all of it */
	LUNATIK_WRITTEN_LATER = 1,	/* it waits; `piece` will tell */
	LUNATIK_WRITE_UNSHARED = -1001,	/* by number: the owner does not share it */
	LUNATIK_WRITE_LONG = -1002,	/* by number: longer than the framing's `most` */
};

struct lunatik_write {
	struct lunatik_outbox *out;	/* the caller's reference; NULL: `fd` says which */
	int fd;
	const char *bytes;
	unsigned long len;		/* not 0 */
	struct lunatik_block *block;	/* has the bytes; NULL: they are copied if they have to wait */
	int bounded;			/* -EAGAIN, and nothing is done, if too much waits already */
	int keep;			/* the caller wants `piece` if it waits */
	struct lunatik_queue *queue;	/* of the caller's state */
	struct lunatik_piece *piece;	/* with a reference */
	long result;
};

/* Writes as much as is possible now; the rest goes as the peer takes it, in order. Process context. */
void lunatik_outbox_write(void *write);

/* The same where nothing may sleep, by a work item; `block` is needed. Any context. */
void lunatik_outbox_post(struct lunatik_write *write);

/* Whether a piece is through, and then its result: 0 or a negative errno. */
int lunatik_piece_done(const struct lunatik_piece *piece, long *result);
/* Has an idle watch fire when it is; lunatik_watch_arm must follow. Takes a reference of its own. */
void lunatik_piece_watch(struct lunatik_piece *piece, struct lunatik_event *watch);
void lunatik_piece_put(struct lunatik_piece *piece);

/* Of a stream socket, which keeps a reference until it is freed; NULL when memory is out. Process context. */
struct lunatik_outbox *lunatik_outbox_new(struct lunatik_sock *sock);
void lunatik_outbox_put(struct lunatik_outbox *out);
/* The number by which any state may know it. */
int lunatik_outbox_fd(const struct lunatik_outbox *out);
void lunatik_outbox_share(struct lunatik_outbox *out, int shared);
void lunatik_outbox_frame(struct lunatik_outbox *out, const struct lunatik_framing *framing);
/* Every later write fails with this errno, unless one has failed before. Any context. */
void lunatik_outbox_fail(struct lunatik_outbox *out, int err);
/* Closes the socket once all is written, or half a minute has passed; who waits to read is woken. Any context. */
void lunatik_outbox_close(struct lunatik_outbox *out);

/* In place of lunatik_sock_run: somebody else is at it, so it is to be tried again after a while. */
void lunatik_sock_busy(void *call);

/* Addresses; process context. 0 or a negative errno. */
int lunatik_tcp_address(struct lunatik_address *address, int family, const char *host, unsigned int port);
int lunatik_tcp_unix(struct lunatik_address *address, const char *path);
/* The text of an address, terminated, and its port; 0, or -1 for what is none. */
int lunatik_tcp_name(const struct lunatik_address *address, char *text, unsigned long size, int *port);
/* Removes a socket from the file system; the path begins at the root of the first process. */
int lunatik_tcp_unlink(const struct lunatik_address *address);

#endif
