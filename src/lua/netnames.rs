// SPDX-License-Identifier: GPL-2.0-only

//! The C entries to the pure half of the `net` library (`src/libs/net`); any context, no locks.
//!
//! `net.h` declares them for C. They never raise and never call Lua. Every function trusts its caller for addresses and
//! lengths alone.

use core::ffi::c_int;

use crate::libs::net::address::{self, Ip, TEXT};
use crate::libs::net::names;

const AF_INET: c_int = 2;
const AF_INET6: c_int = 10;

/// The bytes of a block.
///
/// # Safety
///
/// Unless `len` is 0, `at` points to `len` bytes that nobody writes while the result is in use.
unsafe fn bytes<'a>(at: *const u8, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: By the caller.
    unsafe { core::slice::from_raw_parts(at, len) }
}

/// # Safety
///
/// `to` takes 16 bytes.
unsafe fn put(ip: Ip, to: *mut u8) -> c_int {
    let (family, from): (c_int, &[u8]) = match &ip {
        Ip::V4(bytes) => (AF_INET, bytes),
        Ip::V6(bytes) => (AF_INET6, bytes),
    };
    // SAFETY: By the caller; there are at most 16.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    family
}

/// # Safety
///
/// `from` has the bytes of an address of the family.
unsafe fn get(family: c_int, from: *const u8) -> Ip {
    // SAFETY: By the caller.
    unsafe {
        match family {
            AF_INET6 => Ip::V6(from.cast::<[u8; 16]>().read()),
            _ => Ip::V4(from.cast::<[u8; 4]>().read()),
        }
    }
}

/// Reads a numeric address into the 16 bytes at `to`: its family, 0 when it is none.
///
/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn lunatik_net_parse(text: *const u8, len: usize, to: *mut u8) -> c_int {
    // SAFETY: By the caller.
    unsafe { address::parse(bytes(text, len)).map_or(0, |ip| put(ip, to)) }
}

/// Writes an address as text; its length.
///
/// # Safety
///
/// As above; `to` takes 46 bytes.
#[no_mangle]
pub unsafe extern "C" fn lunatik_net_format(family: c_int, from: *const u8, to: *mut u8) -> usize {
    // SAFETY: By the caller.
    unsafe { address::format(get(family, from), &mut *to.cast::<[u8; TEXT]>()) }
}

/// `struct lunatik_host`
#[repr(C)]
pub struct RawHost {
    family: c_int,
    address: [u8; 16],
    name: *const u8,
    name_len: usize,
}

/// Finds the addresses of a host; how many, at most `most`. Their names point into the text.
///
/// # Safety
///
/// As above; `to` takes `most` of them.
#[no_mangle]
pub unsafe extern "C" fn lunatik_net_host(
    text: *const u8,
    len: usize,
    name: *const u8,
    name_len: usize,
    to: *mut RawHost,
    most: usize,
) -> usize {
    let mut count = 0;
    // SAFETY: By the caller.
    let (text, name) = unsafe { (bytes(text, len), bytes(name, name_len)) };
    for (ip, canonical) in names::host(text, name).take(most) {
        let mut host = RawHost { family: 0, address: [0; 16], name: canonical.as_ptr(), name_len: canonical.len() };
        // SAFETY: By the caller; `count` is below `most`.
        unsafe {
            host.family = put(ip, host.address.as_mut_ptr());
            to.add(count).write(host);
        }
        count += 1;
    }
    count
}

/// # Safety
///
/// `len` takes the length.
unsafe fn found(name: Option<&[u8]>, len: *mut usize) -> *const u8 {
    // SAFETY: By the caller.
    unsafe { len.write(name.map_or(0, <[u8]>::len)) };
    name.map_or(core::ptr::null(), <[u8]>::as_ptr)
}

/// The name of an address, in the text; null when it has none.
///
/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn lunatik_net_host_name(
    text: *const u8,
    len: usize,
    family: c_int,
    from: *const u8,
    name_len: *mut usize,
) -> *const u8 {
    // SAFETY: By the caller.
    unsafe { found(names::host_name(bytes(text, len), get(family, from)), name_len) }
}

fn protocol(udp: c_int) -> &'static [u8] {
    if udp != 0 { b"udp" } else { b"tcp" }
}

/// The port of a service, -1 when there is none.
///
/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn lunatik_net_port(
    text: *const u8,
    len: usize,
    name: *const u8,
    name_len: usize,
    udp: c_int,
) -> c_int {
    // SAFETY: By the caller.
    unsafe { names::port(bytes(text, len), bytes(name, name_len), protocol(udp)).map_or(-1, c_int::from) }
}

/// The service of a port, in the text; null when there is none.
///
/// # Safety
///
/// As above.
#[no_mangle]
pub unsafe extern "C" fn lunatik_net_service(
    text: *const u8,
    len: usize,
    port: c_int,
    udp: c_int,
    name_len: *mut usize,
) -> *const u8 {
    let port = u16::try_from(port).unwrap_or(0);
    // SAFETY: By the caller.
    unsafe { found(names::service_name(bytes(text, len), port, protocol(udp)), name_len) }
}
