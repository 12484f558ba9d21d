// SPDX-License-Identifier: GPL-2.0-only

//! The executor: how Lua runs in the kernel so that no script can hang it. Here is the picture, and the part that is
//! pure; what touches locks and stacks is `src/lua/vm.rs` and `src/lua/vm/`, timers and wake-ups `src/kapi/event.c`.
//!
//! # An entry, with a break
//!
//! ```text
//!  task's own stack                    side stack (bottom halves off, the state's lock held)
//!  ----------------                    -----------------------------------------------------
//!  enter_sliced
//!    borrow a stack (may wait)
//!    lock, begin: guard watches `timeup`
//!    run_on_side ────────────────────> lunatik_side_main
//!                                        lua_resume ... the interpreter polls `timeup`
//!                                        at calls, returns and backward jumps
//!        (the guard's timer sets `timeup` after a slice)
//!                                        lunatik_break -> lunatik_slice_over
//!    lunatik_task_main <───────────────  run_on_task
//!      end, unlock                       :
//!      reschedule, freeze, log, supply   :  others enter here: hooks, timers, messages,
//!      a signal? cancelled?              :  each on a stack and a thread of its own
//!      lock, begin                       :
//!      return ─────────────────────────> goes on where it was, or raises
//!    <────────────────────────────────  ended, or waits
//!    end, unlock
//! ```
//!
//! A hook (`klua_execute`) is the same without breaks: on the CPU's own stack, under a time budget ([`budget`]).
//!
//! # The order of locks
//!
//! ```text
//!  sleeping:  file -> mailbox -> script (whose turn it is) -> record (last outcome, directory) -> log
//!  spinning:  registry -> state -> ports -> queue (events, letters, mailboxes, log lines)     bottom halves off
//! ```
//!
//! All sleeping locks come before all spinlocks. No two states' locks are held at once: messages are copied into
//! the receiver's queue, whose lock alone its sender takes (src/kapi/letters.c). Under a state's lock nothing waits for a callback, frees what may sleep, or sends.
//!
//! # The life of a state
//!
//! ```text
//!  made ──────> alive ───────> condemned ──────> ended ──────> freed
//!  (reserve,    (directory,    (not found,       (events        (last reference: open files,
//!   libraries)   found)         cancelled,        drained,        work items, directory)
//!                               no event begins)  lua_close)
//! ```
//!
//! # The life of an event: a timer, an operation, a place in a queue, a wait for a socket
//!
//! ```text
//!            arm                 due, cancel, replace             work item
//!  idle ───────────> armed ──────────────────────────> ready ────────────────> running ──> idle, or armed again
//!    ^                 │ disarm: idle at once, or, when its timer fires just now, ready and void
//!    └─────────────────┘
//! ```
//!
//! A wait for a socket is armed with its deadline, if it has one, and due before it when the socket has news
//! (`src/kapi/watch.h`); the work item takes it from the socket before anything else is done with it.
//!
//! Its memory is a userdata of the state that the registry keeps until it is idle for good. A coroutine waits by
//! yielding through all its resumers (`src/lua/coroutine.c`) after it has armed an event; the event's turn resumes
//! the entry's thread. `cancel` and the end of a state make every waiting event due and have its thread raise;
//! `lunatik.replace()` those of older generations (`src/lua/generation.c`).
//!
//! # The life of a letter: values on their way to another state
//!
//! ```text
//!                  post                 work item                  who waited reads it, or a callback
//!  the sender's ──────────> letters ─────────────────> held ──────────────────────────────────────────> freed, or
//!        │                     ^                                                                        goes back
//!        └────> overflow ──────┘ when there is room
//! ```
//!
//! It is kernel memory, charged to the receiver's queue from the post until it was read. A coroutine that waits for one
//! is a waiter like those of timers: the letter takes it out of the executor's hands and has it go on in the same entry
//! (src/lua/receive.c), unless its time is over just now.

pub mod budget;
