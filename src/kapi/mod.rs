// SPDX-License-Identifier: GPL-2.0-only

//! The kernel as this module sees it: the only place that names bindings and C helpers.
//!
//! Each file says in which context its functions may be called. The C half (`*.c`, `kapi.h`) holds
//! what is inline, a macro or a table of function pointers.

pub mod buffer;
pub mod defer;
pub mod events;
pub mod files;
pub mod global;
mod klua;
pub mod netns;
mod node;
pub mod params;
pub mod shared;
pub mod stack;
pub mod sync;
pub mod trace;
pub mod wait;
