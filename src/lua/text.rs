// SPDX-License-Identifier: GPL-2.0-only

//! The C entries to number text that the interpreter calls in place of `strtod` and `snprintf`; any context.
//!
//! `lua/kernel/lunatik_text.h` declares them for C. Doubles cross as their bits, since this crate's own code has no
//! floating-point registers. Every function is pure, takes no lock and keeps to 1.5 KiB of stack. The text
//! itself is made in [`crate::softfloat`]; what is left here is pointers.

use core::ffi::{c_char, c_int, c_longlong, c_void};

use crate::softfloat::{format, parse};

extern "C" {
    /// The C library's, or the kernel's: `CStr::from_ptr` would add a check that can panic.
    fn strlen(s: *const c_char) -> usize;

    /// A keyed hash of an address, so that scripts can tell objects apart and learn nothing of the kernel's layout.
    fn lunatik_hash_ptr(address: *const c_void) -> u64;
}

/// The bytes of a C string.
///
/// # Safety
///
/// `s` must point to a zero-terminated string that stays unchanged while the result is in use.
unsafe fn bytes<'a>(s: *const c_char) -> &'a [u8] {
    // SAFETY: the caller gives a valid zero-terminated string, which is as long as it says, and outlives the use of
    // the result; bytes have no alignment and no invalid value.
    unsafe { core::slice::from_raw_parts(s.cast::<u8>(), strlen(s)) }
}

/// Runs a conversion over a C string and tells C how far it read.
///
/// # Safety
///
/// `s` must point to a zero-terminated string; `end` must be null or valid for a write.
unsafe fn convert(
    s: *const c_char,
    end: *mut *mut c_char,
    read: fn(&[u8]) -> Option<(u64, usize)>,
) -> u64 {
    // SAFETY: `s` is a zero-terminated string by this function's own contract; the slice does not leave it.
    let (bits, used) = read(unsafe { bytes(s) }).unwrap_or((0, 0));
    if !end.is_null() {
        // SAFETY: `end` is valid for a write by this function's contract, and `used` is at most the length of the string.
        unsafe { *end = s.add(used).cast_mut() };
    }
    bits
}

/// Reads a decimal number as `strtod` does in the C locale, without the names `inf` and `nan`.
///
/// Returns the bits of the nearest double; `*end` is the first byte after the number, or `s` when there is none.
///
/// # Safety
///
/// `s` must point to a zero-terminated string; `end` must be null or valid for a write.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_strtod(s: *const c_char, end: *mut *mut c_char) -> u64 {
    // SAFETY: the contract of `convert` is this function's own.
    unsafe { convert(s, end, parse::parse) }
}

/// Reads a hexadecimal number (`0x1.8p3`) as `strtod` does; arguments and results are those of `lunatik_strtod`.
///
/// # Safety
///
/// `s` must point to a zero-terminated string; `end` must be null or valid for a write.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_strxtod(s: *const c_char, end: *mut *mut c_char) -> u64 {
    // SAFETY: the contract of `convert` is this function's own.
    unsafe { convert(s, end, parse::parse_hex) }
}

/// Runs a formatting function over a C buffer, and ends what it wrote with a zero byte.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes.
unsafe fn write(
    buffer: *mut c_char,
    size: usize,
    item: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> c_int {
    if buffer.is_null() || size == 0 {
        return -1;
    }
    // SAFETY: the caller gives `size` writable bytes and nobody else uses them during the call; `u8` has no alignment
    // or invalid value, and the slice is only written.
    let buffer = unsafe { core::slice::from_raw_parts_mut(buffer.cast::<u8>(), size) };
    let Some((room, _)) = buffer.split_at_mut_checked(size.wrapping_sub(1)) else {
        return -1;
    };
    let length = item(room);
    // What did not fit leaves an empty string behind, not half an item.
    if let Some(end) = buffer.get_mut(length.unwrap_or(0)) {
        *end = 0;
    }
    length.map_or(-1, |length| c_int::try_from(length).unwrap_or(-1))
}

/// Writes one double by a specification for `e E f F g G a A`.
///
/// Returns the length without the terminating zero; -1 when `spec` is no such specification or the buffer is too small.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes, and `spec` must be a zero-terminated string outside it.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_fmt_double(
    buffer: *mut c_char,
    size: usize,
    spec: *const c_char,
    bits: u64,
) -> c_int {
    // SAFETY: `spec` is a zero-terminated string by this function's contract.
    let Some(spec) = format::parse_spec(unsafe { bytes(spec) }) else {
        return -1;
    };
    // SAFETY: `buffer` is valid for `size` bytes by this function's contract.
    unsafe { write(buffer, size, |out| format::format_double(out, &spec, bits)) }
}

/// Writes one integer by a specification for `d i u o x X c`; results as `lunatik_fmt_double`.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes, and `spec` must be a zero-terminated string outside it.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_fmt_int(
    buffer: *mut c_char,
    size: usize,
    spec: *const c_char,
    value: c_longlong,
) -> c_int {
    // SAFETY: `spec` is a zero-terminated string by this function's contract.
    let Some(spec) = format::parse_spec(unsafe { bytes(spec) }) else {
        return -1;
    };
    // SAFETY: `buffer` is valid for `size` bytes by this function's contract.
    unsafe { write(buffer, size, |out| format::format_int(out, &spec, value)) }
}

/// Writes one string by a specification for `s`; results as `lunatik_fmt_double`.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes; `spec` and `s` must be zero-terminated strings outside it.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_fmt_str(
    buffer: *mut c_char,
    size: usize,
    spec: *const c_char,
    s: *const c_char,
) -> c_int {
    // SAFETY: `spec` is a zero-terminated string by this function's contract.
    let Some(spec) = format::parse_spec(unsafe { bytes(spec) }) else {
        return -1;
    };
    // SAFETY: `s` is a zero-terminated string by this function's contract.
    let s = unsafe { bytes(s) };
    // SAFETY: `buffer` is valid for `size` bytes by this function's contract.
    unsafe { write(buffer, size, |out| format::format_str(out, &spec, s)) }
}

/// Writes the keyed hash of an address by a specification for `p`; results as `lunatik_fmt_double`.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes, and `spec` must be a zero-terminated string outside it.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_fmt_ptr(
    buffer: *mut c_char,
    size: usize,
    spec: *const c_char,
    address: *const c_void,
) -> c_int {
    // SAFETY: `spec` is a zero-terminated string by this function's contract.
    let Some(spec) = format::parse_spec(unsafe { bytes(spec) }) else {
        return -1;
    };
    // The null pointer is no secret, and prints as what it is.
    let hash = if address.is_null() {
        0
    } else {
        // SAFETY: the function takes any address and does not look at what is there.
        unsafe { lunatik_hash_ptr(address) }
    };
    // SAFETY: `buffer` is valid for `size` bytes by this function's contract.
    unsafe { write(buffer, size, |out| format::format_pointer(out, &spec, hash)) }
}

/// Writes a double as `%.14g`, the text that `tostring` gives; results as `lunatik_fmt_double`.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_fmt_g14(
    buffer: *mut c_char,
    size: usize,
    bits: u64,
) -> c_int {
    // SAFETY: `buffer` is valid for `size` bytes by this function's contract.
    unsafe { write(buffer, size, |out| format::format_g14(out, bits)) }
}

/// Writes an integer as `%d`; results as `lunatik_fmt_double`.
///
/// # Safety
///
/// `buffer` must be valid for writes of `size` bytes.
#[no_mangle]
pub(crate) unsafe extern "C" fn lunatik_fmt_decimal(
    buffer: *mut c_char,
    size: usize,
    value: c_longlong,
) -> c_int {
    // SAFETY: `buffer` is valid for `size` bytes by this function's contract.
    unsafe { write(buffer, size, |out| format::format_decimal(out, value)) }
}
