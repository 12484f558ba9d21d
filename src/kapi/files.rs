// SPDX-License-Identifier: GPL-2.0-only

//! The files as C calls them (src/kapi/files.c): pointers become objects, results become numbers.
//!
//! Every function here only converts; what the files mean stands in `ctl.rs` and `attrs.rs`. Process context.

use crate::attrs;
use crate::ctl::Session;
use crate::error::{Error, Result};
use crate::state::State;
use core::ffi::{c_char, c_int, c_void};
use core::ptr::NonNull;
use super::wait::Poll;
use kernel::bindings;
use kernel::iov::{IovIterDest, IovIterSource};
use kernel::prelude::*;
use kernel::sync::{Arc, ArcBorrow};

extern "C" {
    fn lunatik_files_init() -> c_int;
    fn lunatik_files_exit();
    fn lunatik_dir_add(name: *const c_char, state: *mut c_void) -> *mut c_void;
    fn lunatik_dir_remove(directory: *mut c_void);
    fn lunatik_log_line(error: bool, name: *const u8, text: *const u8, len: c_int);
}

/// Makes `/proc/lunatik/ctl` and `/sys/kernel/lunatik`. Process context, once.
pub fn init() -> Result {
    // SAFETY: Process context; everything that the files reach is in place.
    if unsafe { lunatik_files_init() } == 0 { Ok(()) } else { Err(Error::NoMemory) }
}

/// Takes them away and waits for the last directory to let go of its state.
pub fn exit() {
    // SAFETY: Process context; no state is left.
    unsafe { lunatik_files_exit() };
}

/// Seconds since the epoch. Any context.
pub fn wall_clock() -> i64 {
    // SAFETY: Callable everywhere but NMI.
    unsafe { bindings::ktime_get_real_seconds() }
}

/// One line of the kernel log: `lunatik: NAME: TEXT`. Process context.
pub fn log_line(error: bool, name: &[u8; 64], text: &[u8]) {
    // SAFETY: `name` is terminated, `text` has that length.
    unsafe { lunatik_log_line(error, name.as_ptr(), text.as_ptr(), c_int::try_from(text.len()).unwrap_or(0)) };
}

/// A state's directory in sysfs; it holds a reference to the state until sysfs lets go of it.
pub struct Directory(NonNull<c_void>);

// SAFETY: The C side may be called from any task.
unsafe impl Send for Directory {}

impl Directory {
    /// Makes it. [`Error::NoMemory`].
    pub fn add(state: Arc<State>) -> Result<Self> {
        let name = state.name().as_c_bytes().as_ptr().cast();
        let state = Arc::into_raw(state).cast_mut().cast();
        // SAFETY: The name is terminated and lives in the state, whose reference is given away.
        NonNull::new(unsafe { lunatik_dir_add(name, state) }).map(Self).ok_or(Error::NoMemory)
    }

    /// Takes it away; sleeps until no attribute is in use.
    pub fn remove(self) {
        // SAFETY: Made by `add`, removed once.
        unsafe { lunatik_dir_remove(self.0.as_ptr()) };
    }
}

/// The state behind a pointer of C's.
///
/// # Safety
///
/// `state` came from `Directory::add` and its directory has not let go of it.
pub unsafe fn state_of<'a>(state: *mut c_void) -> ArcBorrow<'a, State> {
    // SAFETY: By the caller.
    unsafe { ArcBorrow::from_raw(state.cast::<State>()) }
}

#[no_mangle]
unsafe extern "C" fn lunatik_state_put(state: *mut c_void) {
    // SAFETY: The reference that `Directory::add` gave away.
    drop(unsafe { Arc::from_raw(state.cast::<State>()) });
}

/// 0 or a negative errno.
pub fn to_int(result: Result) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => -error.errno(),
    }
}

/// A count or a negative errno.
pub fn to_size(result: Result<usize>) -> isize {
    match result {
        Ok(count) => isize::try_from(count).unwrap_or(isize::MAX),
        Err(error) => -(error.errno() as isize),
    }
}

/// Copies user bytes in; the count that came before a fault.
pub fn copy_in(from: &mut IovIterSource<'_>, to: &mut [u8]) -> Result<usize> {
    let wanted = to.len().min(from.len());
    let got = from.copy_from_iter(to.get_mut(..wanted).unwrap_or(&mut []));
    if got == 0 && wanted > 0 { Err(Error::Fault) } else { Ok(got) }
}

/// Copies `bytes` from position `pos` out, which it moves on.
pub fn copy_out(to: &mut IovIterDest<'_>, pos: &mut i64, bytes: &[u8]) -> Result<usize> {
    to.simple_read_from_buffer(pos, bytes).map_err(|_| Error::Fault)
}

// --- /proc/lunatik/ctl ---

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_open(session: *mut *mut c_void) -> c_int {
    match Session::open() {
        Ok(opened) => {
            // SAFETY: `session` is the file's private pointer; a session is not moved once boxed.
            unsafe { *session = KBox::into_raw(Pin::into_inner_unchecked(opened)).cast() };
            0
        }
        Err(error) => -error.errno(),
    }
}

/// # Safety
///
/// `session` came from `lunatik_ctl_open` and was not released.
unsafe fn session_of<'a>(session: *mut c_void) -> &'a Session {
    // SAFETY: By the caller.
    unsafe { &*session.cast::<Session>() }
}

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_release(session: *mut c_void) {
    // SAFETY: The box that `lunatik_ctl_open` gave away; the file is closed.
    drop(unsafe { Pin::new_unchecked(KBox::from_raw(session.cast::<Session>())) });
}

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_flush(session: *mut c_void, dying: bool) -> c_int {
    // SAFETY: The file is open.
    to_int(unsafe { session_of(session) }.flush(dying))
}

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_read(
    session: *mut c_void,
    to: *mut bindings::iov_iter,
    pos: *mut i64,
    _nonblock: bool,
) -> isize {
    // SAFETY: The file is open; the iterator is a destination and the position ours during the call.
    let (session, to, pos) = unsafe { (session_of(session), IovIterDest::from_raw(to), &mut *pos) };
    to_size(session.read(to, pos))
}

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_write(session: *mut c_void, from: *mut bindings::iov_iter, nonblock: bool) -> isize {
    // SAFETY: The file is open; the iterator is a source and ours during the call.
    let (session, from) = unsafe { (session_of(session), IovIterSource::from_raw(from)) };
    to_size(session.write(from, nonblock))
}

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_rewind(session: *mut c_void) {
    // SAFETY: The file is open.
    unsafe { session_of(session) }.rewind();
}

#[no_mangle]
unsafe extern "C" fn lunatik_ctl_readable(session: *mut c_void, file: *mut c_void, table: *mut c_void) -> bool {
    // SAFETY: The file is open.
    unsafe { session_of(session) }.is_readable(&Poll { file, table })
}

// --- maxalloc, curralloc, stats ---

/// Formats into a page; what does not fit is cut.
struct Page<'a> {
    bytes: &'a mut [u8],
    len: usize,
}

impl core::fmt::Write for Page<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.as_bytes() {
            let to = self.bytes.get_mut(self.len).ok_or(core::fmt::Error)?;
            *to = *byte;
            self.len += 1;
        }
        Ok(())
    }
}

#[no_mangle]
unsafe extern "C" fn lunatik_attr_show(state: *mut c_void, which: c_int, page: *mut u8, size: usize) -> isize {
    // SAFETY: sysfs holds the directory during the call and gives us a page.
    let (state, bytes) = unsafe { (state_of(state), core::slice::from_raw_parts_mut(page, size)) };
    let mut page = Page { bytes, len: 0 };
    match attrs::show(&state, which, &mut page) {
        Ok(()) => to_size(Ok(page.len)),
        Err(error) => to_size(Err(error)),
    }
}

#[no_mangle]
unsafe extern "C" fn lunatik_attr_store(state: *mut c_void, which: c_int, text: *const u8, len: usize) -> isize {
    // SAFETY: sysfs holds the directory during the call; the text has that length.
    let (state, text) = unsafe { (state_of(state), core::slice::from_raw_parts(text, len)) };
    to_size(attrs::store(&state, which, text).map(|()| len))
}
