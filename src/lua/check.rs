// SPDX-License-Identifier: GPL-2.0-only

//! What the C of `lunatik check` (`src/check/`) calls: a heap with a limit, and the packets of a capture.
//!
//! User space, one thread, no locks. It leaves out what becomes of the memory at the end: the process ends.

use crate::alloc::{lunatik_lua_alloc, segment_for, Backing, Heap, BACKING_ALIGN};
use crate::pcap::{Capture, Error};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use std::alloc::Layout;

/// The C library's heap, for blocks that the segment has no room for.
struct Outside;

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size, BACKING_ALIGN).ok()
}

// SAFETY: blocks come from the global allocator, with the alignment asked for.
unsafe impl Backing for Outside {
    fn alloc_large(&mut self, size: usize) -> Option<NonNull<u8>> {
        // SAFETY: `size` is at least 1.
        NonNull::new(unsafe { std::alloc::alloc(layout(size)?) })
    }

    unsafe fn free_large(&mut self, ptr: NonNull<u8>, size: usize) {
        if let Some(layout) = layout(size) {
            // SAFETY: as the caller promises.
            unsafe { std::alloc::dealloc(ptr.as_ptr(), layout) }
        }
    }
}

/// A heap with a limit in bytes and memory for all of it; null when the machine has not got that. It is never freed.
#[no_mangle]
pub extern "C" fn check_heap(limit: usize) -> *mut c_void {
    let mut heap = Box::new(Heap::new(limit, Outside));
    let Ok(layout) = Layout::from_size_align(segment_for(limit).saturating_mul(2), 4096) else {
        return core::ptr::null_mut();
    };
    // SAFETY: a segment is not empty.
    let Some(segment) = NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) }) else {
        return core::ptr::null_mut();
    };
    // SAFETY: the segment is ours, of that length, and lives as long as the process.
    if unsafe { heap.add_segment(segment, layout.size()) }.is_err() {
        return core::ptr::null_mut();
    }
    Box::into_raw(heap).cast()
}

/// The `lua_Alloc` function of such a heap.
///
/// # Safety
///
/// As [`lunatik_lua_alloc`] wants it; `heap` comes from [`check_heap`].
#[no_mangle]
pub unsafe extern "C" fn check_alloc(heap: *mut c_void, ptr: *mut c_void, osize: usize, nsize: usize) -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { lunatik_lua_alloc::<Outside>(heap, ptr, osize, nsize) }
}

/// Gives the heap another limit, unless more is in use.
///
/// # Safety
///
/// `heap` comes from [`check_heap`].
#[no_mangle]
pub unsafe extern "C" fn check_limit(heap: *mut c_void, limit: usize) {
    // SAFETY: as the caller promises; nobody else uses the heap meanwhile.
    let _ = unsafe { &mut *heap.cast::<Heap<Outside>>() }.set_limit(limit);
}

/// Bytes in use now, and at most so far.
///
/// # Safety
///
/// `heap` comes from [`check_heap`].
#[no_mangle]
pub unsafe extern "C" fn check_used(heap: *const c_void, peak: *mut usize) -> usize {
    // SAFETY: as the caller promises; nobody else uses the heap meanwhile.
    let stats = unsafe { &*heap.cast::<Heap<Outside>>() }.stats();
    // SAFETY: the caller's variable.
    unsafe { *peak = stats.peak };
    stats.used
}

/// Calls `f` with each packet of a capture until it says no: 0; or why it was not read to its end: 1 no capture, 2 its link layer, 3 it
/// is cut short.
///
/// # Safety
///
/// `bytes` are `len` bytes; `f` may be called with `context`.
#[no_mangle]
pub unsafe extern "C" fn check_pcap(
    bytes: *const u8,
    len: usize,
    f: extern "C" fn(*mut c_void, u16, *const u8, usize) -> c_int,
    context: *mut c_void,
) -> c_int {
    // SAFETY: as the caller promises.
    let bytes = unsafe { core::slice::from_raw_parts(bytes, len) };
    let read = || -> Result<(), Error> {
        let mut capture = Capture::open(bytes)?;
        while let Some((protocol, packet)) = capture.packet()? {
            if f(context, protocol, packet.as_ptr(), packet.len()) == 0 {
                break;
            }
        }
        Ok(())
    };
    match read() {
        Ok(()) => 0,
        Err(Error::Format) => 1,
        Err(Error::Link) => 2,
        Err(Error::Short) => 3,
    }
}
