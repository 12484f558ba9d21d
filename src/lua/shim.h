/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What C and Rust share about one Lua state: its layout and the calls in either direction.
 *
 * Rust's side of this file is src/lua/ffi.rs; the two mirror each other line for line. Every
 * function here is called with the state's lock held (or while nobody else can reach the state), on
 * a side stack, and none of them raises.
 */
#ifndef LUNATIK_SHIM_H
#define LUNATIK_SHIM_H

#include "lua.h"
#include "lunatik_port.h"

struct lunatik_event;
struct lunatik_hook;
struct lunatik_contexts;
struct lunatik_letter;
struct lunatik_netns;
struct lunatik_queue;
struct lunatik_registration;
struct lunatik_shared;
struct lunatik_counter;

/* One Lua state. `ext` comes first: the extra space of every lua_State points here. */
struct lunatik_vm {
	struct lunatik_ext ext;
	lua_State *main;	/* the main thread: it never runs a script */
	lua_State *aux;		/* for short protected work that never breaks */
	lua_State *top;		/* the thread that what runs now began with */
	lua_State *spare;	/* a thread for the next entry, or NULL */
	lua_State *waiting;	/* who yields to the executor, from its yield until that arrives there */
	struct lunatik_queue *queue;	/* the events of this state */
	struct lunatik_netns *netns;	/* where its hooks and sockets live */
	struct lunatik_contexts *contexts;	/* what the library `context` keeps (receive.c); NULL until it is required */
	struct lunatik_shared *shared;	/* the counters of all interpreters */
	unsigned int interpreter;	/* which one of the state's, from 0 on */
	unsigned int interpreters;	/* how many it has */
	long long timers;	/* numbers given to timers */
	long handling;		/* a traceback is being made, which nothing may interrupt */
	lua_State *staging;	/* the thread of a `code` script that has not waited yet */
	struct lunatik_registration *staged, *live;	/* see generation.c */
	unsigned int generation;	/* of the last `code` script */
	unsigned int replaced;	/* everything older is withdrawn; 0: nothing */
	long replaces;		/* the staging script called lunatik.replace() */
	struct lunatik_hook *hooks;	/* in the kernel's netfilter (netfilter.c) */
	lua_State *packets;	/* the thread on which packets meet functions; NULL before the first */
	void *packet;		/* the object that lends them, kept by it; NULL: the next one makes it */
	long functions;		/* registered, or about to be */
	void *packet_meta;	/* the metatable of packets; NULL before netfilter is required */
	void *packet_store;	/* the packets it stole (packet.h) */
	void *owner;		/* Rust's own (src/lua/vm.rs) */
};

static inline struct lunatik_vm *lunatik_vm_of(lua_State *L)
{
	return (struct lunatik_vm *)lunatik_ext(L);
}

/*
 * The second word before each lua_State: these flags, and above them, for a thread that an entry began
 * with, its generation (28 bits) and the count of cancellations at that time (32 bits).
 */
#define lunatik_threadbits(L)	(((unsigned long *)lua_getextraspace(L))[1])
#define LUNATIK_TOP	1UL	/* an entry began with it: to the user it is no coroutine */
#define LUNATIK_WAITING	2UL	/* in the hands of the executor */
#define LUNATIK_NOWAIT	4UL	/* resumed from where no wait reaches the executor */
#define LUNATIK_WITHDRAWN	8UL	/* its generation was replaced while it waited */
#define LUNATIK_GENERATION	4	/* where the generation begins */
#define lunatik_mark(L)	((unsigned int)(lunatik_threadbits(L) >> 32))

/* How a chunk, or a callback, ended. */
enum lunatik_end {
	LUNATIK_DONE = 0,	/* it returned; the text is its results */
	LUNATIK_SYNTAX = 1,	/* it does not compile; the text is the message */
	LUNATIK_RAISED = 2,	/* it raised an error; the text is the message and its traceback */
	LUNATIK_NOMEM = 3,	/* the state's memory limit, or the machine's, was reached */
	LUNATIK_WAITS = 4,	/* it waits; it goes on when an event is due */
};

/* A chunk on its way in, and its outcome on the way out. */
struct lunatik_chunk {
	const char *text;	/* the source, not terminated; NULL for what is no chunk */
	size_t len;		/* its length in bytes */
	size_t pos;		/* how much of it the parser has seen */
	const char *name;	/* the chunk's name, as lua_load takes it */
	int staged;		/* a `code` script: what it registers is staged; 2: until lunatik_generation_settle */
	int end;		/* enum lunatik_end */
	const char *result;	/* text on the thread's stack, valid until lunatik_thread_free */
	size_t result_len;
};

/*
 * Makes the Lua state: main thread, libraries, the auxiliary thread. `alloc` and `ud` as
 * lua_newstate takes them. 0, or LUNATIK_NOMEM with nothing left behind.
 */
int lunatik_vm_open(struct lunatik_vm *vm, lua_Alloc alloc, void *ud);

/* Runs the finalizers and frees everything. The state must have no entry and no armed event. */
void lunatik_vm_close(struct lunatik_vm *vm);

/*
 * A thread on which nothing runs, kept alive until lunatik_thread_free; NULL when memory is out. What entries leave
 * behind serves later ones.
 */
lua_State *lunatik_thread_new(struct lunatik_vm *vm);
void lunatik_thread_free(struct lunatik_vm *vm, lua_State *thread);

/* Says that an entry begins with `thread`, `mark` cancellations after the state was made. */
void lunatik_thread_top(lua_State *thread, unsigned int mark);

/*
 * Compiles and runs `chunk` on `thread`; fills in its end, result and result_len. With `may_wait` 0 a
 * wait is an error. When it waits, the thread must be kept.
 */
void lunatik_chunk_run(lua_State *thread, struct lunatik_chunk *chunk, int may_wait);

/* Goes on with a thread that waits; the outcome as above. */
void lunatik_chunk_resume(lua_State *thread, struct lunatik_chunk *chunk);

/* Calls the function that lies below its arguments on `thread`, and nothing else; the outcome as above. */
void lunatik_chunk_call(lua_State *thread, struct lunatik_chunk *chunk);

/* A message on its way to the state's callback; it lives until lunatik_message_over. */
struct lunatik_message {
	char *bytes;
	size_t len;
	long long port;		/* of its sender, -1 for none */
	void *handle;		/* of the memory that lends the bytes to the callback */
};

/* Calls receive_callback, or __receive_callback if it came through a port; the outcome as above. */
void lunatik_message_run(lua_State *thread, struct lunatik_chunk *chunk, struct lunatik_message *message);

/* Collects all garbage on `thread`, with breaks. */
void lunatik_collect(lua_State *thread);

/* What a due event wants; it is off the executor's hands then, and armed again if it is a loop. */
enum lunatik_event_wants {
	LUNATIK_EVENT_VOID = 0,		/* nothing: it was cancelled */
	LUNATIK_EVENT_RESUME = 1,	/* *thread to go on */
	LUNATIK_EVENT_CALL = 2,		/* the function on *thread to be called */
	LUNATIK_EVENT_LOST = 3,		/* there is no memory for its callback */
};
int lunatik_event_take(struct lunatik_vm *vm, struct lunatik_event *event, lua_State **thread);

/* --- letters from other states (receive.c), and what a context begins with (context.c) --------- */

/* What a letter wants: LUNATIK_EVENT_VOID, _RESUME, _CALL or _LOST, as for a due event. But for _CALL it is read. */
int lunatik_letter_take(struct lunatik_vm *vm, struct lunatik_letter *letter, lua_State **thread);
/* Calls the callback that lies on `thread` with what is in the letter; the outcome as above. */
void lunatik_letter_call(lua_State *thread, struct lunatik_chunk *chunk);
/* Runs what a context begins with; the outcome as above. */
void lunatik_start_run(lua_State *thread, struct lunatik_chunk *chunk, struct lunatik_letter *letter);
/* The mark of a thread that an entry began with (see lunatik_thread_top). */
unsigned int lunatik_thread_mark(lua_State *thread);
/* The state closes. */
void lunatik_contexts_close(struct lunatik_vm *vm);

/* True when the generation of a thread that waited was replaced. */
int lunatik_thread_withdrawn(lua_State *thread);

/* --- generations, for libraries (generation.c) ------------------------------------------------- */

struct lunatik_registration_ops {
	/* A staged registration takes effect; must not fail. */
	void (*publish)(struct lunatik_vm *vm, struct lunatik_registration *r);
	/* Ends it; it removes itself, at once or once it can. */
	void (*withdraw)(struct lunatik_vm *vm, struct lunatik_registration *r);
	/* Of a waiter: the registry lets go of it, before what waits goes on; must not raise. NULL for none. */
	void (*over)(lua_State *L, struct lunatik_registration *r);
};

struct lunatik_registration {
	struct lunatik_registration *next, **link;
	const struct lunatik_registration_ops *ops;
	unsigned int generation;
};

enum lunatik_registered { LUNATIK_IS_LIVE, LUNATIK_IS_STAGED, LUNATIK_IS_WITHDRAWN };

void lunatik_registration_init(struct lunatik_registration *r, const struct lunatik_registration_ops *ops);
int lunatik_registration_add(struct lunatik_vm *vm, struct lunatik_registration *r, int waits);
void lunatik_registration_remove(struct lunatik_registration *r);
void lunatik_generation_inherit(lua_State *thread, const struct lunatik_registration *r);
void lunatik_generation_begin(lua_State *thread);
void lunatik_generation_end(lua_State *thread, int good);
void lunatik_generation_hold(lua_State *thread);
void lunatik_generation_settle(struct lunatik_vm *vm, int good);
int lunatik_replace(lua_State *L);

/* --- waiting, for libraries (coroutine.c) ------------------------------------------------------ */

int lunatik_may_wait(lua_State *L);
int lunatik_wait(lua_State *L, lua_KContext ctx, lua_KFunction k);
int lunatik_park(lua_State *L, int first, lua_KContext ctx, lua_KFunction k);
int lunatik_open_timer(lua_State *L);
int lunatik_open_context(lua_State *L);

/*
 * Has the function on top called with the `n` values below it, soon, in a coroutine of its own, as a timer's callback is;
 * takes both off the stack. May raise.
 */
void lunatik_spawn(lua_State *L, int n);

/* --- libraries and what shim.c shares with them ------------------------------------------------- */

int lunatik_send(lua_State *L);
int lunatik_shared(lua_State *L);
int lunatik_open_netlink(lua_State *L);
int lunatik_open_netfilter(lua_State *L);
int lunatik_callback_ended(lua_State *L, int status);
int lunatik_message_handler(lua_State *L);
void lunatik_take_outcome(lua_State *thread, int status, struct lunatik_chunk *chunk);

/* --- what src/kapi/event.c provides -------------------------------------------------------------- */

size_t lunatik_event_size(void);
void lunatik_event_init(struct lunatik_event *event, struct lunatik_queue *queue, _Bool sleeper);
_Bool lunatik_event_arm(struct lunatik_event *event, unsigned long long ns);
_Bool lunatik_event_disarm(struct lunatik_event *event);
_Bool lunatik_event_claim(struct lunatik_event *event);
_Bool lunatik_event_cancelled(const struct lunatik_event *event);
void lunatik_event_expire(struct lunatik_event *event);
void lunatik_event_done(struct lunatik_event *event);
size_t lunatik_op_size(void);
void lunatik_op_init(struct lunatik_event *event, struct lunatik_queue *queue, void (*run)(void *), void *data);
_Bool lunatik_op_start(struct lunatik_event *event);
_Bool lunatik_event_park(struct lunatik_event *event, _Bool first);
size_t lunatik_watch_size(void);
void lunatik_watch_init(struct lunatik_event *event, struct lunatik_queue *queue);
_Bool lunatik_watch_arm(struct lunatik_event *event, unsigned long long deadline);
void lunatik_queue_call(struct lunatik_queue *queue);

/* --- what src/kapi/shared.c provides ------------------------------------------------------------ */

#define LUNATIK_COUNTER_NAME	48	/* bytes of a counter's name at most, as in kapi.h */
struct lunatik_counter *lunatik_shared_counter(struct lunatik_shared *shared, const char *name, size_t len, int *full);
void lunatik_counter_add(struct lunatik_counter *counter, unsigned int interpreter, long long n);
long long lunatik_counter_sum(const struct lunatik_counter *counter);

/* --- what Rust provides ------------------------------------------------------------------- */

/*
 * The slice or the budget of what runs in `vm` is over. Called on the side stack with the lock
 * held; it may drop the lock and sleep on the task's own stack before it returns. 0 to go on, or
 * why the entry must end (enum lunatik_why).
 */
int lunatik_slice_over(struct lunatik_vm *vm);

enum lunatik_why {
	LUNATIK_GO_ON = 0,
	LUNATIK_SIGNAL = 1,	/* the task got a signal that ends it */
	LUNATIK_CANCELLED = 2,	/* `cancel` or `destroy` */
	LUNATIK_OVERRUN = 3,	/* the time budget is spent */
	LUNATIK_REPLACED = 4,	/* a later generation took its place */
};

/*
 * A piece of what print() prints, at most LUNATIK_PRINT_PIECE bytes; newlines begin further lines. It is
 * copied. 0, or 1 when the log has no room and a break would make some: then nothing was taken.
 */
#define LUNATIK_PRINT_PIECE 4096
int lunatik_print_text(struct lunatik_vm *vm, const char *text, size_t len);

/*
 * Has the task that runs Lua wait for an operation, outside of the lock, if somebody waits for the outcome of
 * what runs: 1 when that was so. A NULL only asks. It is a break.
 */
int lunatik_wait_here(struct lunatik_vm *vm, struct lunatik_event *operation);

/*
 * Calls `f(arg)` on the task's own stack, in process context, without the state's lock, where it may sleep but must end
 * by itself: 1 when that was done, 0 where it is impossible (in a hook, lunatik.atomic or __gc, and when what runs is to
 * end: poll before). A NULL only asks. It is a break: other code of the state may run meanwhile, and `f` may use nothing
 * of the state but what cannot go or change then. Poll after it, when what it brought is safe: the entry may have to end.
 */
int lunatik_call_out(struct lunatik_vm *vm, void (*f)(void *), void *arg);

/* The state's name, terminated; for lunatik.name(). */
const char *lunatik_vm_name(struct lunatik_vm *vm);

/* The callback of a message has ended. */
void lunatik_message_over(struct lunatik_vm *vm, struct lunatik_message *message);

/* Messages for the readers of `data`, and for the owner of a port: 0 or a negative errno. */
int lunatik_data_send(struct lunatik_vm *vm, const char *bytes, size_t len, _Bool called);
_Bool lunatik_data_fits(struct lunatik_vm *vm, size_t len);
int lunatik_port_send(struct lunatik_vm *vm, unsigned int port, const char *bytes, size_t len);

/*
 * Makes a context that begins with `letter`, which is taken over, with a limit of `limit` bytes out of this state's, or
 * the default for 0: its handle, or a negative errno. Process context, without the state's lock (lunatik_call_out).
 */
long long lunatik_context_create(struct lunatik_vm *vm, struct lunatik_letter *letter, size_t limit);

/* The state ends once what runs now has ended or waits. */
void lunatik_end_after(struct lunatik_vm *vm);

/* True when what runs is to end: its next poll raises. */
_Bool lunatik_is_ending(struct lunatik_vm *vm);

/* True when there is no room for a block of so many bytes, though the limit allows it: a break makes some. */
_Bool lunatik_vm_wants(struct lunatik_vm *vm, size_t size);

/* True when the state's memory can be given back whole, without its blocks being freed; they are not then. */
_Bool lunatik_vm_forget(struct lunatik_vm *vm);

/* The limit and what is in use of it, in bytes. */
size_t lunatik_vm_limit(struct lunatik_vm *vm);
size_t lunatik_vm_used(struct lunatik_vm *vm);

/* Charges `size` bytes of memory that the state has outside of its heap: 0 when the limit has no room. Takes them back. */
_Bool lunatik_vm_charge(struct lunatik_vm *vm, size_t size);
void lunatik_vm_credit(struct lunatik_vm *vm, size_t size);

#endif
