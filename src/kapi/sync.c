// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks, signals and context checks that are inline or macros in C.
 *
 * Every spinlock of the module is taken with bottom halves off: hooks take them in softirq.
 */
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/interrupt.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "kapi.h"

#ifdef CONFIG_PREEMPT_RT
#error "lunatik runs Lua under spinlocks with preemption off: PREEMPT_RT kernels are not supported"
#endif

void lunatik_spin_init(spinlock_t *lock, int class)
{
	/* One call site a class, for lockdep to tell them apart. */
	switch (class) {
	case LUNATIK_LOCK_REGISTRY:
		spin_lock_init(lock);
		break;
	case LUNATIK_LOCK_STATE:
		spin_lock_init(lock);
		break;
	case LUNATIK_LOCK_PORTS:
		spin_lock_init(lock);
		break;
	default:
		spin_lock_init(lock);
		break;
	}
}

void lunatik_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

bool lunatik_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

void lunatik_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

void lunatik_mutex_init(struct mutex *lock, int class)
{
	switch (class) {
	case LUNATIK_TURN_FILE:
		mutex_init(lock);
		break;
	case LUNATIK_TURN_MAILBOX:
		mutex_init(lock);
		break;
	case LUNATIK_TURN_SCRIPT:
		mutex_init(lock);
		break;
	case LUNATIK_TURN_RECORD:
		mutex_init(lock);
		break;
	default:
		mutex_init(lock);
		break;
	}
}

void lunatik_mutex_lock(struct mutex *lock)
{
	mutex_lock(lock);
}

/*
 * 0, or -EINTR when a signal came first that ends scripts. Who waits for another's script must not keep the machine
 * from being suspended while that is frozen, so signals wake it, the freezer's among them.
 */
int lunatik_mutex_lock_killable(struct mutex *lock)
{
	while (mutex_lock_interruptible(lock)) {
		if (lunatik_signal_ends())
			return -EINTR;
		if (!try_to_freeze() && signal_pending(current))
			return mutex_lock_killable(lock);	/* a signal that is none of our business */
	}
	return 0;
}

/* The same for a place of a semaphore. */
int lunatik_down_killable(struct semaphore *sema)
{
	while (down_interruptible(sema)) {
		if (lunatik_signal_ends())
			return -EINTR;
		if (!try_to_freeze() && signal_pending(current))
			return down_killable(sema);
	}
	return 0;
}

bool lunatik_mutex_trylock(struct mutex *lock)
{
	return mutex_trylock(lock);
}

void lunatik_mutex_unlock(struct mutex *lock)
{
	mutex_unlock(lock);
}

void lunatik_sema_init(struct semaphore *sema, int n)
{
	sema_init(sema, n);
}

/*
 * True when the current task has a signal pending that ends a script: a fatal one, or one of the
 * four by which people stop programs, handled or not (an interactive shell handles SIGINT), unless
 * it is blocked; ignored signals are never pending. Process context.
 */
bool lunatik_signal_ends(void)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct task_struct *task = current;
	bool ends = false;
	unsigned int i;

	if (!signal_pending(task))
		return false;
	if (fatal_signal_pending(task))
		return true;
	spin_lock_irq(&task->sighand->siglock);
	/* The freezer pretends a signal, and leaves the mark behind. */
	recalc_sigpending();
	for (i = 0; i < ARRAY_SIZE(ending); i++) {
		if (sigismember(&task->blocked, ending[i]))
			continue;
		ends |= sigismember(&task->pending.signal, ending[i]) ||
			sigismember(&task->signal->shared_pending.signal, ending[i]);
	}
	spin_unlock_irq(&task->sighand->siglock);
	return ends;
}

/*
 * Lets others run, and the machine be suspended: in the workqueue until it is resumed, or `*cancels` is no longer
 * `mark`. Process context, may sleep.
 */
void lunatik_resched(const u32 *cancels, u32 mark)
{
	cond_resched();
	if (current->flags & PF_WQ_WORKER)
		lunatik_sleep_out_suspend(cancels, mark);
	else
		try_to_freeze();
}

/* Waits a little for what the machine lacks now. Process context. */
void lunatik_nap(void)
{
	msleep(20);
}

/* True in process context with nothing switched off. */
bool lunatik_may_sleep(void)
{
	return !in_interrupt() && !irqs_disabled();
}

/* True where klua_execute may be called: process context or softirq, interrupts enabled. */
bool lunatik_may_execute(void)
{
	return !in_hardirq() && !in_nmi() && !irqs_disabled();
}
