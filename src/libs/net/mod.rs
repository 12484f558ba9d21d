// SPDX-License-Identifier: GPL-2.0-only

//! Addresses, hosts and services of the `net` library: text and its meaning. Pure, any context.
//!
//! [`address`] reads and writes numeric addresses; [`names`] looks names up in the text of hosts(5) and services(5).
//! Names in the DNS are nobody's here.

pub mod address;
pub mod names;
