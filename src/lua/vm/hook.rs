// SPDX-License-Identifier: GPL-2.0-only

//! A packet comes to a state: the functions that it has at this hook decide (src/lua/netfilter.c).
//!
//! Softirq or process context, interrupts enabled, inside an RCU read section; the state's lock is waited for, for a
//! script gives way after a slice. Bottom halves are off from there to the verdict: nothing else runs Lua on this CPU
//! meanwhile, and nothing that Lua can do sends a packet.

use super::{entry, Vm};
use crate::kapi::stack::{self, CpuStack};
use crate::lua::ffi::{why, verdict, RawPacketRun, RawVm};
use core::ffi::{c_char, c_int, c_uint, c_ulong};
use core::sync::atomic::Ordering;
use entry::{Job, Kind};

/// One in so many packets is timed.
const TIMED: u64 = 64;

extern "C" {
    fn lunatik_hook_onerror(hook: *const core::ffi::c_void) -> c_uint;
}

impl Vm {
    /// Functions registered.
    pub fn hooks(&self) -> i64 {
        self.with(|inner| inner.raw.functions)
    }

    /// Has the functions decide about a packet.
    fn packet(&self, run: &mut RawPacketRun) {
        self.spin.lock();
        let inner = self.inner.get();
        // SAFETY: The lock keeps bottom halves off until it is given back, after the stack is.
        let stack = unsafe { CpuStack::take() };
        // SAFETY: We hold the lock.
        if let (true, Some(stack)) = (unsafe { (*inner).open }, stack) {
            let mut entry = self.entry(Kind::Hook, Job::Packet(run), stack.span(), self.mark());
            // SAFETY: We hold the lock.
            run.pressed = c_int::from(unsafe { (*inner).pressed });
            // SAFETY: As above.
            entry.timed = unsafe { (*inner).stats.packets } % TIMED == 0;
            self.begin(&mut entry);
            // SAFETY: Preemption is off, the stack is ours, and the entry outlives the call.
            unsafe { stack::run_on_side((&raw mut entry).cast(), &entry.span) };
            self.end(&mut entry);
            // SAFETY: We hold the lock; the statements do not run Lua.
            let stats = unsafe { &mut (*inner).stats };
            stats.packets += 1;
            if run.verdict == verdict::DROP {
                stats.drops += 1;
            }
            if run.failed != 0 {
                stats.hook_errors += 1;
                stats.errors += 1;
                stats.overruns += u64::from(entry.why == why::OVERRUN);
            }
            // SAFETY: We hold the lock.
            unsafe { (*inner).pressed = (*inner).wants_collection() };
            // SAFETY: As above.
            if unsafe { (*inner).pressed } {
                self.queue.collect();
            }
        } else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            // SAFETY: The hook is there while a packet is.
            run.verdict = unsafe { lunatik_hook_onerror(run.hook) };
        }
        // SAFETY: Taken above.
        unsafe { self.spin.unlock() };
    }
}

/// A packet: see netfilter.h.
#[no_mangle]
unsafe extern "C" fn lunatik_packet_enter(raw: *mut RawVm, run: *mut RawPacketRun) -> c_uint {
    // SAFETY: `owner` never changes, and the state does not end while a packet is at one of its hooks.
    unsafe {
        (*(*raw).owner.cast::<Vm>()).packet(&mut *run);
        (*run).verdict
    }
}

/// A packet that no function saw, though one should have.
#[no_mangle]
unsafe extern "C" fn lunatik_packet_missed(raw: *mut RawVm) {
    // SAFETY: As above.
    unsafe { (*(*raw).owner.cast::<Vm>()).missed.fetch_add(1, Ordering::Relaxed) };
}

/// The message of a function that failed.
#[no_mangle]
unsafe extern "C" fn lunatik_packet_error(raw: *mut RawVm, text: *const c_char, len: c_ulong) {
    // SAFETY: `owner` is the state whose lock is held; `text` is a Lua string of that length on its thread.
    unsafe {
        let vm = &*(*raw).owner.cast::<Vm>();
        let text = core::slice::from_raw_parts(text.cast(), len as usize);
        (*vm.inner.get()).log(&vm.name, text);
    }
}
