// SPDX-License-Identifier: GPL-2.0-only

//! Packets, as far as they are bytes: where the headers lie, and which fields a script may read.
//!
//! Pure: any context, no locks, `core` alone. [`layout`] finds the headers in what of a packet is at hand, and says which
//! groups of fields are there; [`names`] is the table of field names. Bytes come from anybody: a length in a packet is
//! believed only as far as the bytes go. Pointers are `src/lua/packet.rs`'s affair, values those of `src/lua/packet.c`.
//!
//! Left out: options of IPv4 and TCP, what lies inside of tunnels and of ESP.

pub mod layout;
pub mod names;
