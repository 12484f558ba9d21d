// SPDX-License-Identifier: GPL-2.0-only

//! The Lua core as Rust sees it: one state, entered and left safely.
//!
//! `longjmp` never crosses a Rust frame: everything that may raise runs in C under `lua_pcall`
//! (`shim.c`); what Lua calls in Rust returns what is to be done.

pub mod ffi;
mod memlib;
pub mod memory;
mod packet;
mod netnames;
mod text;
pub mod vm;
