// SPDX-License-Identifier: GPL-2.0-only

//! The C entries to the pure half of packets (`src/libs/packet`); any context, no locks.
//!
//! `packet.h` declares them for C. They never raise and do a bounded amount of work.

use core::ffi::c_int;

use crate::libs::packet::layout::{self, Layout};
use crate::libs::packet::names::{Field, MULTIPLIER, PLACES, TABLE};

/// The table of names.
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static lunatik_packet_fields: [Field; PLACES] = TABLE;

/// What makes places of names; see [`TABLE`].
#[no_mangle]
#[allow(non_upper_case_globals)]
pub static lunatik_packet_multiplier: u64 = MULTIPLIER;

/// See [`layout::parse`].
///
/// # Safety
///
/// `head` must point to `head_len` bytes that nobody writes meanwhile, `out` be valid for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_packet_parse(
    head: *const u8,
    head_len: usize,
    len: usize,
    ethertype: u16,
    jumbo: c_int,
    out: *mut Layout,
) {
    let bytes = if head_len == 0 {
        &[]
    } else {
        // SAFETY: this function's contract; bytes have no alignment and no invalid value.
        unsafe { core::slice::from_raw_parts(head, head_len) }
    };
    let found = layout::parse(bytes, len, ethertype, jumbo != 0);
    // SAFETY: this function's contract.
    unsafe { out.write(found) };
}
