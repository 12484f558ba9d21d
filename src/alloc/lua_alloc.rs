// SPDX-License-Identifier: GPL-2.0-only

//! The `lua_Alloc` function of a state: Lua's protocol on top of a [`Heap`].
//!
//! Lua calls it under the lock of the state, in process context or softirq. What it leaves out:
//! the emergency collection that follows a failure, which is Lua's own affair.

use super::{Backing, Heap};
use core::ffi::c_void;
use core::ptr::{self, NonNull};

/// Failures on purpose: how many requests to serve, then how many to fail.
#[derive(Clone, Copy)]
pub(super) struct Injection {
    serve: u64,
    fail: u64,
}

impl Injection {
    pub(super) const NONE: Injection = Injection { serve: 0, fail: 0 };
}

impl<B: Backing> Heap<B> {
    /// Lets [`lunatik_lua_alloc_failing`] serve `serve` more requests that need memory, then fail
    /// `fail` of them, then serve all. For tests of how callers bear a failure.
    ///
    /// Lua collects and asks again when a request fails: with `fail` 1 a test sees the emergency
    /// collection, with 2 the error.
    pub fn inject_failures(&mut self, serve: u64, fail: u64) {
        self.injection = Injection { serve, fail };
    }

    /// How many of the failures are still to come: a sweep over all requests is at its end when a
    /// run leaves some.
    pub fn failures_left(&self) -> u64 {
        self.injection.fail
    }

    /// Counts one request that needs memory; true if it is to fail.
    fn count_down(&mut self) -> bool {
        let Injection { serve, fail } = &mut self.injection;
        if let Some(left) = serve.checked_sub(1) {
            *serve = left;
            return false;
        }
        if let Some(left) = fail.checked_sub(1) {
            *fail = left;
            return true;
        }
        false
    }
}

/// The `lua_Alloc` function: `ud` is the [`Heap`]; with `nsize` 0 it frees `ptr`, with `ptr` null
/// it returns a new block (`osize` then tells a type, not a size), else it changes the size from
/// `osize` to `nsize`. Null if there is no memory, which cannot be when `nsize <= osize`.
///
/// # Safety
///
/// `ud` is a valid `Heap<B>` that nobody else uses during the call; `ptr` is null or a block of
/// it, of `osize` bytes.
pub unsafe extern "C" fn lunatik_lua_alloc<B: Backing>(
    ud: *mut c_void,
    ptr: *mut c_void,
    osize: usize,
    nsize: usize,
) -> *mut c_void {
    // SAFETY: as the caller promises.
    let heap = unsafe { &mut *ud.cast::<Heap<B>>() };
    let Some(block) = NonNull::new(ptr.cast::<u8>()) else {
        return raw(heap.alloc(nsize));
    };
    if nsize == 0 {
        // SAFETY: as the caller promises.
        return unsafe { heap.free_to_null(block, osize) }.cast();
    }
    // SAFETY: as the caller promises.
    raw(unsafe { heap.realloc(block, osize, nsize) })
}

/// As [`lunatik_lua_alloc`], and fails the requests that [`Heap::inject_failures`] chose. A shrink
/// or a free is never among them. A state that is not under such a test has no use for it.
///
/// # Safety
///
/// As [`lunatik_lua_alloc`].
pub unsafe extern "C" fn lunatik_lua_alloc_failing<B: Backing>(
    ud: *mut c_void,
    ptr: *mut c_void,
    osize: usize,
    nsize: usize,
) -> *mut c_void {
    // SAFETY: as the caller promises; the reference ends before the call below.
    let heap = unsafe { &mut *ud.cast::<Heap<B>>() };
    let had = if ptr.is_null() { 0 } else { osize };
    if nsize > had && heap.count_down() {
        return ptr::null_mut();
    }
    // SAFETY: as the caller promises.
    unsafe { lunatik_lua_alloc::<B>(ud, ptr, osize, nsize) }
}

#[inline(always)]
fn raw(block: Option<NonNull<u8>>) -> *mut c_void {
    block.map_or(ptr::null_mut(), |b| b.as_ptr().cast())
}
