// SPDX-License-Identifier: GPL-2.0-only

//! `code` and `data` as C calls them (src/kapi/node.c): pointers become objects, results become numbers.
//!
//! Every function here only converts; what the files mean stands in `code.rs` and `data.rs`. Process context.

use super::files::{state_of, to_int, to_size};
use super::wait::Poll;
use crate::code::{Commit, Script};
use crate::data;
use core::ffi::{c_int, c_void};
use kernel::bindings;
use kernel::iov::{IovIterDest, IovIterSource};
use kernel::prelude::*;

// --- code ---

#[no_mangle]
unsafe extern "C" fn lunatik_code_open(state: *mut c_void, script: *mut *mut c_void) -> c_int {
    // SAFETY: kernfs holds the directory during open.
    let state = unsafe { state_of(state) };
    match Script::open(state.into()) {
        Ok(opened) => {
            // SAFETY: `script` is the file's private pointer; a script is not moved once boxed.
            unsafe { *script = KBox::into_raw(Pin::into_inner_unchecked(opened)).cast() };
            0
        }
        Err(error) => -error.errno(),
    }
}

/// # Safety
///
/// `script` came from `lunatik_code_open` and was not released.
unsafe fn script_of<'a>(script: *mut c_void) -> &'a Script {
    // SAFETY: By the caller.
    unsafe { &*script.cast::<Script>() }
}

#[no_mangle]
unsafe extern "C" fn lunatik_code_release(script: *mut c_void) {
    // SAFETY: The file is closed; nobody else has the box that `lunatik_code_open` gave away.
    unsafe {
        let _ = script_of(script).commit(Commit::Later, false);
        drop(Pin::new_unchecked(KBox::from_raw(script.cast::<Script>())));
    }
}

#[no_mangle]
unsafe extern "C" fn lunatik_code_commit(script: *mut c_void, how: c_int, nonblock: bool) -> c_int {
    let how = match how {
        0 => Commit::Here,
        1 => Commit::Later,
        _ => Commit::Never,
    };
    // SAFETY: The file is open.
    to_int(unsafe { script_of(script) }.commit(how, nonblock))
}

#[no_mangle]
unsafe extern "C" fn lunatik_code_read(script: *mut c_void, to: *mut bindings::iov_iter, pos: *mut i64) -> isize {
    // SAFETY: The file is open; the iterator is a destination and the position ours during the call.
    let (script, to, pos) = unsafe { (script_of(script), IovIterDest::from_raw(to), &mut *pos) };
    to_size(script.read(to, pos))
}

#[no_mangle]
unsafe extern "C" fn lunatik_code_write(script: *mut c_void, from: *mut bindings::iov_iter) -> isize {
    // SAFETY: The file is open; the iterator is a source and ours during the call.
    let (script, from) = unsafe { (script_of(script), IovIterSource::from_raw(from)) };
    to_size(script.write(from))
}

// --- data ---

#[no_mangle]
unsafe extern "C" fn lunatik_data_read(
    state: *mut c_void,
    to: *mut bindings::iov_iter,
    pos: *mut i64,
    nonblock: bool,
) -> isize {
    // SAFETY: The file holds a reference; the iterator is a destination and the position ours during the call.
    let (state, to, pos) = unsafe { (state_of(state), IovIterDest::from_raw(to), &mut *pos) };
    to_size(data::read(&state, to, pos, nonblock))
}

#[no_mangle]
unsafe extern "C" fn lunatik_data_write(state: *mut c_void, from: *mut bindings::iov_iter, nonblock: bool) -> isize {
    // SAFETY: The file holds a reference; the iterator is a source and ours during the call.
    let (state, from) = unsafe { (state_of(state), IovIterSource::from_raw(from)) };
    to_size(data::write(&state, from, nonblock))
}

#[no_mangle]
unsafe extern "C" fn lunatik_data_poll(state: *mut c_void, file: *mut c_void, table: *mut c_void) -> c_int {
    // SAFETY: The file holds a reference.
    let state = unsafe { state_of(state) };
    // As enum lunatik_poll numbers them.
    let (readable, closed) = data::poll(&state, &Poll { file, table });
    c_int::from(readable) | c_int::from(closed) << 1
}
