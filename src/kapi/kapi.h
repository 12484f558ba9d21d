/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C half of src/kapi: what Rust cannot name because it is inline, a macro or a table of
 * function pointers. Rust's declarations of these functions stand in the file of the same name.
 */
#ifndef LUNATIK_KAPI_H
#define LUNATIK_KAPI_H

#include <linux/mutex.h>
#include <linux/semaphore.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/types.h>

struct iov_iter;
struct poll_table_struct;
struct wait_queue_head;

/* --- params.c: module parameters, all readable under /sys/module/lunatik/parameters ---------- */

extern unsigned int lunatik_maxstates, lunatik_defaultmaxalloc, lunatik_minalloc, lunatik_scriptmax;
extern unsigned int lunatik_slice_us, lunatik_hookbudget_us, lunatik_stackcap, lunatik_queuebytes;
extern unsigned long lunatik_totalmax;
bool lunatik_each_block(void);
unsigned long lunatik_ram_pages(void);

/* --- files.c and node.c: what Rust answers --------------------------------------------------------------- */

/* All return 0 or a count, or a negative errno. `nonblock` is O_NONBLOCK. Process context. */
int lunatik_ctl_open(void **session);
void lunatik_ctl_release(void *session);
int lunatik_ctl_flush(void *session, bool dying);
ssize_t lunatik_ctl_read(void *session, struct iov_iter *to, loff_t *pos, bool nonblock);
ssize_t lunatik_ctl_write(void *session, struct iov_iter *from, bool nonblock);
void lunatik_ctl_rewind(void *session);
/* poll(2) may wait at `wait`. */
bool lunatik_ctl_readable(void *session, struct file *file, struct poll_table_struct *wait);

int lunatik_code_open(void *state, void **script);
void lunatik_code_release(void *script);
int lunatik_code_commit(void *script, int how, bool nonblock);
ssize_t lunatik_code_read(void *script, struct iov_iter *to, loff_t *pos);
ssize_t lunatik_code_write(void *script, struct iov_iter *from);

ssize_t lunatik_data_read(void *state, struct iov_iter *to, loff_t *pos, bool nonblock);
ssize_t lunatik_data_write(void *state, struct iov_iter *from, bool nonblock);
enum lunatik_poll { LUNATIK_POLL_READABLE = 1, LUNATIK_POLL_CLOSED = 2 };
int lunatik_data_poll(void *state, struct file *file, struct poll_table_struct *wait);

ssize_t lunatik_attr_show(void *state, int which, char *page, size_t size);
ssize_t lunatik_attr_store(void *state, int which, const char *text, size_t len);

/* A directory gives up its reference to the state. */
void lunatik_state_put(void *state);

/* How a script is committed. */
enum lunatik_commit {
	LUNATIK_COMMIT_HERE = 0,	/* close(2), dup2(2) or fsync(2) of a living task: run it now */
	LUNATIK_COMMIT_LATER = 1,	/* exec, an exit without a signal, or release: run it in the background */
	LUNATIK_COMMIT_NEVER = 2,	/* the writer was killed */
};

/* --- what files.c and node.c share -------------------------------------------------------------- */

/* A file in a state's directory that is of our own making. */
struct lunatik_node {
	struct bin_attribute attr;
	void *state;
};
#define LUNATIK_NODES 2	/* code, data */
/* Makes them; on failure the caller removes the directory. */
int lunatik_nodes_add(struct kobject *kobj, struct lunatik_node *nodes, void *state);

bool lunatik_may_open(const struct file *file);
enum lunatik_commit lunatik_commit_kind(void);

/* --- files.c: what Rust calls ------------------------------------------------------------------ */

int lunatik_files_init(void);
void lunatik_files_exit(void);

struct lunatik_dir;
/* Makes /sys/kernel/lunatik/NAME for a state and takes over a reference to it; NULL when it fails. */
struct lunatik_dir *lunatik_dir_add(const char *name, void *state);
/* Takes the directory away; sleeps until no attribute is in use. The reference goes with it. */
void lunatik_dir_remove(struct lunatik_dir *dir);

/* --- sync.c ------------------------------------------------------------------------------------ */

/* The lock classes, in the order in which they may be taken. */
enum lunatik_lock_class { LUNATIK_LOCK_REGISTRY, LUNATIK_LOCK_STATE, LUNATIK_LOCK_PORTS, LUNATIK_LOCK_QUEUE };

void lunatik_spin_init(spinlock_t *lock, int class);
void lunatik_spin_lock_bh(spinlock_t *lock);
bool lunatik_spin_trylock_bh(spinlock_t *lock);
void lunatik_spin_unlock_bh(spinlock_t *lock);

/* The classes of sleeping locks, in the order in which they may be taken; all before any spinlock. */
enum lunatik_turn_class {
	LUNATIK_TURN_FILE,
	LUNATIK_TURN_MAILBOX,
	LUNATIK_TURN_SCRIPT,
	LUNATIK_TURN_RECORD,
	LUNATIK_TURN_LOG,
};
void lunatik_mutex_init(struct mutex *lock, int class);
void lunatik_mutex_lock(struct mutex *lock);
int lunatik_mutex_lock_killable(struct mutex *lock);
bool lunatik_mutex_trylock(struct mutex *lock);
void lunatik_mutex_unlock(struct mutex *lock);

void lunatik_sema_init(struct semaphore *sema, int n);
int lunatik_down_killable(struct semaphore *sema);

bool lunatik_signal_ends(void);
void lunatik_resched(const u32 *cancels, u32 mark);
void lunatik_nap(void);
bool lunatik_may_sleep(void);
bool lunatik_may_execute(void);

/* --- wait.c ------------------------------------------------------------------------------------ */

struct rw_semaphore;
void lunatik_wait_init(struct wait_queue_head *queue);
int lunatik_wait_until(struct wait_queue_head *queue, bool (*ready)(const void *arg), const void *arg);
void lunatik_wait_wake(struct wait_queue_head *queue);
void lunatik_wait_poll(struct wait_queue_head *queue, struct file *file, struct poll_table_struct *table);
void lunatik_gate_init(struct rw_semaphore *gate);
int lunatik_gate_enter(struct rw_semaphore *gate);
void lunatik_gate_leave(struct rw_semaphore *gate);
void lunatik_gate_drain(struct rw_semaphore *gate);

/* --- defer.c ----------------------------------------------------------------------------------- */

struct lunatik_job;
struct lunatik_job *lunatik_job_alloc(void);
void lunatik_job_free(struct lunatik_job *job);
void lunatik_job_queue(struct lunatik_job *job, void (*run)(void *), void *arg);
void lunatik_log_kick(void);
void lunatik_log_drain(void);
void lunatik_log_line(bool error, const char *name, const char *text, int len);
void lunatik_sleep_out_suspend(const u32 *value, u32 expected);
void lunatik_wake_from_suspend(void);
int lunatik_defer_init(void);
void lunatik_defer_exit(void);

/* --- port.c ------------------------------------------------------------------------------------ */

struct lua_State;
void lunatik_port_init(void);
unsigned long long lunatik_random_seed(void);
unsigned long lunatik_hash_ptr(const void *p);
long long lunatik_time(void);
unsigned long long lunatik_clock_ns(struct lua_State *L);
__noreturn void lunatik_abort(const char *what, const char *file, int line);

/* --- event.c ----------------------------------------------------------------------------------- */

struct lunatik_event;
struct lunatik_queue;
size_t lunatik_event_size(void);
void lunatik_event_init(struct lunatik_event *event, struct lunatik_queue *queue, bool sleeper);
bool lunatik_event_arm(struct lunatik_event *event, u64 ns);
bool lunatik_event_disarm(struct lunatik_event *event);
bool lunatik_event_cancelled(const struct lunatik_event *event);
void lunatik_event_expire(struct lunatik_event *event);
void lunatik_event_done(struct lunatik_event *event);
size_t lunatik_op_size(void);
void lunatik_op_init(struct lunatik_event *event, struct lunatik_queue *queue, void (*run)(void *), void *data);
bool lunatik_op_start(struct lunatik_event *event);
void lunatik_op_run(struct lunatik_event *event);
bool lunatik_event_park(struct lunatik_event *event, bool first);
struct lunatik_queue *lunatik_queue_new(void *state, unsigned int interpreter);
void lunatik_queue_collect(struct lunatik_queue *queue);
void lunatik_queue_call(struct lunatik_queue *queue);
bool lunatik_queue_is_waited_for(struct lunatik_queue *queue);
void lunatik_queue_wake(struct lunatik_queue *queue);
void lunatik_queue_stop(struct lunatik_queue *queue);
void lunatik_queue_drain(struct lunatik_queue *queue);
void lunatik_queue_free(struct lunatik_queue *queue);

/* Rust's: one event of a state is due. Process context. */
void lunatik_state_event(void *state, unsigned int interpreter, struct lunatik_event *event, u32 mark);
/* Rust's: garbage is to be collected. Process context. */
void lunatik_state_collect(void *state, unsigned int interpreter, u32 mark);
/* Rust's: counts the cancellations of a state's interpreter. */
u32 lunatik_state_mark(void *state, unsigned int interpreter);
/* Rust's: one reference more. Any context. */
void lunatik_state_get(void *state);
/* Rust's: takes a part of `totalmax`, in bytes, if there is as much; gives it back. Any context. */
bool lunatik_lend(size_t size);
void lunatik_give_back(size_t size);

struct workqueue_struct *lunatik_workqueue(void);

/* --- netns.c: see netns.h for what has members there ------------------------------------------- */

struct lunatik_netns;
int lunatik_netns_init(void);
void lunatik_netns_exit(void);
struct lunatik_netns *lunatik_netns_new(void);
void lunatik_netns_close(struct lunatik_netns *netns);
void lunatik_netns_free(struct lunatik_netns *netns);

/* --- shared.c ------------------------------------------------------------------------------------ */

#define LUNATIK_COUNTER_NAME	48	/* bytes of a counter's name at most, as in shim.h */
struct lunatik_shared;
struct lunatik_counter;
struct lunatik_shared *lunatik_shared_new(unsigned int interpreters);
void lunatik_shared_free(struct lunatik_shared *shared);
struct lunatik_counter *lunatik_shared_counter(struct lunatik_shared *shared, const char *name, size_t len, int *full);
void lunatik_counter_add(struct lunatik_counter *counter, unsigned int interpreter, long long n);
long long lunatik_counter_sum(const struct lunatik_counter *counter);
unsigned int lunatik_online_cpus(void);

/* --- guard.c ----------------------------------------------------------------------------------- */

int lunatik_guard_init(unsigned int period_us);
void lunatik_guard_exit(void);
int *lunatik_guard_enter(int *flag);
void lunatik_guard_leave(int *outer);

/* --- trace.c ----------------------------------------------------------------------------------- */

void lunatik_trace_script(const char *state, const char *script, int error, u64 ns);
void lunatik_trace_event(const char *state, int error, u64 ns);
void lunatik_trace_overrun(const char *state, u64 ns);

/* --- memory.c and arch/ ------------------------------------------------------------------------- */

void lunatik_run_on_side(void *arg, void *top);
void lunatik_run_on_task(void *arg, void *top);
void *lunatik_stack_alloc(size_t size);
void *lunatik_block_alloc(size_t size);
void lunatik_block_free(void *block);
void *lunatik_segment_alloc(size_t size);
void lunatik_segment_free(void *segment, size_t size);
void lunatik_segments_exit(void);
void lunatik_stack_free(void *stack);
void lunatik_stack_look(const void *stack, size_t size);
void *lunatik_cpu_stack_take(void);
void lunatik_cpu_stack_give(void);
int lunatik_cpu_stacks_init(size_t size);
void lunatik_cpu_stacks_exit(void);

#endif
