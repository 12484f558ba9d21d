// SPDX-License-Identifier: GPL-2.0-only

//! The crate as `lunatik check` has it, which runs scripts outside the kernel: the heap that states have there, with the same limit
//! and the same charges, the `memory` library, and captures of packets.
//!
//! User space, one thread, no locks. `build` compiles it as a library for C.

#![deny(unsafe_code)]

#[allow(dead_code, unused_imports, unsafe_code)]
#[path = "../alloc/mod.rs"]
mod alloc;
#[allow(dead_code)]
#[path = "../libs/mod.rs"]
mod libs;
pub mod pcap;
/// What C calls.
#[allow(unsafe_code)]
#[path = "../lua/check.rs"]
pub mod check;
/// What C calls of the `memory` library.
#[allow(unsafe_code)]
#[path = "../lua/memlib.rs"]
pub mod memlib;
/// What C calls of packets.
#[allow(unsafe_code)]
#[path = "../lua/packet.rs"]
pub mod packet;
