// SPDX-License-Identifier: GPL-2.0-only

//! The C entries to the pure half of the `memory` library (`src/libs/memory`); any context, no locks.
//!
//! `memlib.h` declares them for C, line for line. They never raise, never call Lua, and do a bounded amount
//! of work. What is here is pointers: every function trusts its caller for addresses and lengths alone.

use core::ffi::{c_int, c_longlong};
use core::ptr;

use crate::libs::memory::fill::Fill;
use crate::libs::memory::find::{Find, Found};
use crate::libs::memory::format::{Format, Malformed};
use crate::libs::memory::{self, number, STEP};

/// `enum lunatik_step`
const NO: c_int = 0;
const YES: c_int = 1;
const MORE: c_int = 2;

/// `struct lunatik_item`
#[repr(C)]
pub struct RawItem {
    size: usize,
    skip: usize,
}

/// `struct lunatik_find`
#[repr(C)]
pub struct RawFind([usize; 16]);

const _: () = assert!(size_of::<Find>() <= size_of::<RawFind>() && align_of::<Find>() <= align_of::<RawFind>());

/// The bytes of a block.
///
/// # Safety
///
/// Unless `len` is 0, `at` must point to `len` bytes that nobody writes while the result is in use.
unsafe fn bytes<'a>(at: *const u8, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: the caller's; bytes have no alignment and no invalid value.
    unsafe { core::slice::from_raw_parts(at, len) }
}

/// See [`memory::position`].
#[no_mangle]
pub extern "C" fn lunatik_mem_position(pos: c_longlong, len: usize) -> c_longlong {
    memory::position(pos, len)
}

/// See [`memory::range`].
///
/// # Safety
///
/// `start` must be valid for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_range(i: c_longlong, j: c_longlong, len: usize, start: *mut usize) -> usize {
    let (offset, count) = memory::range(i, j, len);
    // SAFETY: this function's contract.
    unsafe { start.write(offset) };
    count
}

/// Compares at most a step's bytes from offset `*at` on, and moves `*at` past those that are equal.
///
/// # Safety
///
/// Both blocks must be as long as said and unchanged meanwhile, `at` valid for reading and writing.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_differ(
    a: *const u8,
    a_len: usize,
    b: *const u8,
    b_len: usize,
    at: *mut usize,
) -> c_int {
    // SAFETY: this function's contract, three times.
    let (a, b, from) = unsafe { (bytes(a, a_len), bytes(b, b_len), at.read()) };
    let (a, b) = (a.get(from..).unwrap_or(&[]), b.get(from..).unwrap_or(&[]));
    let shorter = a.len().min(b.len());
    let count = shorter.min(STEP);
    let found = memory::differ(a.get(..count).unwrap_or(&[]), b.get(..count).unwrap_or(&[]));
    // SAFETY: this function's contract.
    unsafe { at.write(from.saturating_add(found.unwrap_or(count))) };
    match found {
        Some(_) => YES,
        None if count < shorter => MORE,
        None => NO,
    }
}

/// Fills at most about a step's bytes; the blocks may overlap. What lies outside of a block ends it.
///
/// # Safety
///
/// `fill` must be valid for reading and writing; the blocks must be as long as said and nobody else's
/// meanwhile.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_fill(
    fill: *mut Fill,
    to: *mut u8,
    to_len: usize,
    from: *const u8,
    from_len: usize,
) -> c_int {
    // SAFETY: this function's contract; the reference ends with this function.
    let fill = unsafe { &mut *fill };
    let distance = (from as isize).wrapping_sub(to as isize);
    let mut left = STEP;
    while left > 0 {
        let Some(piece) = fill.next(distance, left) else {
            return NO;
        };
        let (source, source_len) = if piece.inside { (to.cast_const(), to_len) } else { (from, from_len) };
        let within = |offset: usize, len: usize| offset.checked_add(piece.len).is_some_and(|end| end <= len);
        if !within(piece.to, to_len) || !within(piece.from, source_len) {
            return NO;
        }
        // SAFETY: both ranges are within their blocks by the check above; `copy` lets them overlap.
        unsafe { ptr::copy(source.add(piece.from), to.add(piece.to), piece.len) };
        // A piece costs something, however small it is.
        left = left.saturating_sub(piece.len.max(32));
    }
    MORE
}

/// Begins a search.
///
/// # Safety
///
/// `find` must be valid for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_find_begin(find: *mut RawFind) {
    // SAFETY: this function's contract; size and alignment are asserted above.
    unsafe { find.cast::<Find>().write(Find::new()) };
}

/// Searches on; `*at` is the offset of what was found.
///
/// # Safety
///
/// `find` must have been begun; the blocks must be as long as said and unchanged meanwhile; `at` must be
/// valid for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_find(
    find: *mut RawFind,
    hay: *const u8,
    hay_len: usize,
    needle: *const u8,
    len: usize,
    at: *mut usize,
) -> c_int {
    // SAFETY: this function's contract, three times; the references end with this function.
    let (find, hay, needle) = unsafe { (&mut *find.cast::<Find>(), bytes(hay, hay_len), bytes(needle, len)) };
    match find.step(hay, needle) {
        Found::Nowhere => NO,
        Found::NotYet => MORE,
        Found::At(offset) => {
            // SAFETY: this function's contract.
            unsafe { at.write(offset) };
            YES
        }
    }
}

/// Begins a format.
///
/// # Safety
///
/// `format` must be valid for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_format_begin(format: *mut Format) {
    // SAFETY: this function's contract.
    unsafe { format.write(Format::new()) };
}

/// The next item of a format, or what is wrong with it: an `enum lunatik_kind`.
///
/// # Safety
///
/// `format` must have been begun; `text` must be as long as said; `item` must be valid for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_format_next(
    format: *mut Format,
    text: *const u8,
    len: usize,
    offset: usize,
    item: *mut RawItem,
) -> c_int {
    // SAFETY: this function's contract, twice; the references end with this function.
    let (format, text) = unsafe { (&mut *format, bytes(text, len)) };
    let (kind, size, skip) = match format.next(text, offset) {
        Ok(None) => (0, 0, 0),
        Ok(Some(item)) => (item.kind as c_int, item.size, item.skip),
        Err(Malformed::Option(letter)) => (9, usize::from(letter), 0),
        Err(Malformed::Size(size)) => (10, size, 0),
        Err(Malformed::NoSize) => (11, 0, 0),
        Err(Malformed::Next) => (12, 0, 0),
        Err(Malformed::Power) => (13, 0, 0),
    };
    // SAFETY: this function's contract.
    unsafe { item.write(RawItem { size, skip }) };
    kind
}

/// Not 0 if an integer of `size` bytes can hold `value`.
#[no_mangle]
pub extern "C" fn lunatik_mem_fits(value: c_longlong, size: usize, is_signed: c_int) -> c_int {
    c_int::from(if is_signed != 0 {
        number::fits_signed(value, size)
    } else {
        number::fits_unsigned(value as u64, size)
    })
}

/// Writes an integer of `size` bytes.
///
/// # Safety
///
/// `to` must be valid for writing `size` bytes.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_put(to: *mut u8, size: usize, value: u64, fill: c_int, little: usize) {
    if size > 0 {
        // SAFETY: this function's contract; bytes have no alignment and no invalid value.
        let to = unsafe { core::slice::from_raw_parts_mut(to, size) };
        number::put_integer(to, value, fill as u8, little != 0);
    }
}

/// Reads an integer of `size` bytes; 0 if it is none of Lua's.
///
/// # Safety
///
/// `from` must be valid for reading `size` bytes, `value` for a write.
#[no_mangle]
pub unsafe extern "C" fn lunatik_mem_get(
    from: *const u8,
    size: usize,
    is_signed: c_int,
    little: usize,
    value: *mut u64,
) -> c_int {
    // SAFETY: this function's contract.
    let from = unsafe { bytes(from, size) };
    let Some(got) = number::get_integer(from, is_signed != 0, little != 0) else {
        return 0;
    };
    // SAFETY: this function's contract.
    unsafe { value.write(got) };
    1
}
