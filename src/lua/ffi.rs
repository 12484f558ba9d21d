// SPDX-License-Identifier: GPL-2.0-only

//! Declarations only: `lunatik_port.h` and `shim.h`, line for line.

use core::ffi::{c_char, c_int, c_uint, c_void};

/// An opaque `lua_State`.
#[repr(C)]
pub struct LuaState {
    _opaque: [u8; 0],
}

/// `struct lunatik_ext`
#[repr(C)]
pub struct Ext {
    pub timeup: c_int,
    pub nobreak: c_int,
    pub nogc: c_int,
    pub sections: c_int,
    pub stack_limit: *const c_char,
    pub stack_red: *const c_char,
    pub random: [u64; 2],
}

/// `struct lunatik_vm`
#[repr(C)]
pub struct RawVm {
    pub ext: Ext,
    pub main: *mut LuaState,
    pub aux: *mut LuaState,
    pub top: *mut LuaState,
    pub spare: *mut LuaState,
    pub waiting: *mut LuaState,
    pub queue: *mut c_void,
    pub netns: *mut c_void,
    pub contexts: *mut c_void,
    pub shared: *mut c_void,
    pub interpreter: c_uint,
    pub interpreters: c_uint,
    pub timers: i64,
    pub handling: i64,
    pub staging: *mut LuaState,
    pub staged: *mut c_void,
    pub live: *mut c_void,
    pub generation: c_uint,
    pub replaced: c_uint,
    pub replaces: i64,
    pub hooks: *mut c_void,
    pub packets: *mut LuaState,
    pub packet: *mut c_void,
    pub functions: i64,
    pub packet_meta: *mut c_void,
    pub packet_store: *mut c_void,
    pub owner: *const c_void,
}

/// `enum lunatik_end`
pub mod end {
    use core::ffi::c_int;
    pub const DONE: c_int = 0;
    pub const SYNTAX: c_int = 1;
    pub const NOMEM: c_int = 3;
    pub const WAITS: c_int = 4;
}

/// `struct lunatik_chunk`
#[repr(C)]
pub struct RawChunk {
    pub text: *const c_char,
    pub len: usize,
    pub pos: usize,
    pub name: *const c_char,
    pub staged: c_int,
    pub end: c_int,
    pub result: *const c_char,
    pub result_len: usize,
}

/// `struct lunatik_message`
#[repr(C)]
pub struct RawMessage {
    pub bytes: *mut c_char,
    pub len: usize,
    pub port: i64,
    pub handle: *mut c_void,
}

/// `struct lunatik_packet_run`, in netfilter.h
#[repr(C)]
pub struct RawPacketRun {
    pub hook: *mut c_void,
    pub skb: *mut c_void,
    pub state: *const c_void,
    pub handle: *mut c_void,
    pub slot: c_int,
    pub pressed: c_int,
    pub verdict: c_uint,
    pub failed: c_uint,
}

/// `enum lunatik_verdict`
pub mod verdict {
    use core::ffi::c_uint;
    pub const DROP: c_uint = 0;
}

/// `enum lunatik_why`
pub mod why {
    use core::ffi::c_int;
    pub const GO_ON: c_int = 0;
    pub const SIGNAL: c_int = 1;
    pub const CANCELLED: c_int = 2;
    pub const OVERRUN: c_int = 3;
    pub const REPLACED: c_int = 4;
}

/// `enum lunatik_event_wants`
pub mod wants {
    use core::ffi::c_int;
    pub const VOID: c_int = 0;
    pub const RESUME: c_int = 1;
    pub const CALL: c_int = 2;
}

/// `lua_Alloc`
pub type Alloc = unsafe extern "C" fn(ud: *mut c_void, ptr: *mut c_void, osize: usize, nsize: usize) -> *mut c_void;

extern "C" {
    pub fn lunatik_vm_open(vm: *mut RawVm, alloc: Alloc, ud: *mut c_void) -> c_int;
    pub fn lunatik_vm_close(vm: *mut RawVm);
    pub fn lunatik_thread_new(vm: *mut RawVm) -> *mut LuaState;
    pub fn lunatik_thread_free(vm: *mut RawVm, thread: *mut LuaState);
    pub fn lunatik_thread_withdrawn(thread: *mut LuaState) -> c_int;
    pub fn lunatik_thread_top(thread: *mut LuaState, mark: c_uint);
    pub fn lunatik_chunk_run(thread: *mut LuaState, chunk: *mut RawChunk, may_wait: c_int);
    pub fn lunatik_chunk_resume(thread: *mut LuaState, chunk: *mut RawChunk);
    pub fn lunatik_chunk_call(thread: *mut LuaState, chunk: *mut RawChunk);
    pub fn lunatik_message_run(thread: *mut LuaState, chunk: *mut RawChunk, message: *mut RawMessage);
    pub fn lunatik_packet_run(vm: *mut RawVm, run: *mut RawPacketRun);
    pub fn lunatik_collect(thread: *mut LuaState);
    pub fn lunatik_generation_settle(vm: *mut RawVm, good: c_int);
    pub fn lunatik_event_take(vm: *mut RawVm, event: *mut c_void, thread: *mut *mut LuaState) -> c_int;
    pub fn lunatik_letter_take(vm: *mut RawVm, letter: *mut c_void, thread: *mut *mut LuaState) -> c_int;
    pub fn lunatik_letter_call(thread: *mut LuaState, chunk: *mut RawChunk);
    pub fn lunatik_start_run(thread: *mut LuaState, chunk: *mut RawChunk, letter: *mut c_void);
    pub fn lunatik_thread_mark(thread: *mut LuaState) -> c_uint;
}
