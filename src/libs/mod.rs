// SPDX-License-Identifier: GPL-2.0-only

//! The libraries of a state, as far as they are pure: no pointer, no Lua, no kernel.

pub mod memory;
pub mod packet;
pub mod net;
