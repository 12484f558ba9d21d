// SPDX-License-Identifier: GPL-2.0-only

//! What the library `context` asks of Rust (src/lua/spawn.c, src/lua/context.c).

use super::Vm;
use crate::context;
use crate::error::Error;
use crate::kapi::events::Letter;
use crate::lua::ffi::RawVm;
use core::ffi::c_void;

/// Makes a context: its handle, or a negative errno. Process context, in a break of the creator: see shim.h.
#[no_mangle]
unsafe extern "C" fn lunatik_context_create(raw: *mut RawVm, letter: *mut c_void, limit: usize) -> i64 {
    // SAFETY: By the contract in shim.h the letter is ours.
    let letter = unsafe { Letter::new(letter) };
    // SAFETY: `owner` is the state that breaks; whoever runs it keeps it.
    let vm = unsafe { &*(*raw).owner.cast::<Vm>() };
    let made = vm.handle.state().ok_or(Error::Gone).and_then(|creator| context::create(&creator, limit, letter));
    match made {
        Ok(handle) => i64::try_from(handle.number()).unwrap_or(i64::MAX),
        Err(error) => -i64::from(error.errno()),
    }
}

/// The state ends once the entry that runs has ended or waits.
#[no_mangle]
unsafe extern "C" fn lunatik_end_after(raw: *mut RawVm) {
    // SAFETY: `owner` is the state whose lock is held; an entry is what runs the caller.
    unsafe {
        let vm = &*(*raw).owner.cast::<Vm>();
        let entry = (*vm.inner.get()).entry;
        if !entry.is_null() {
            (*entry).ends = true;
        }
    }
}
