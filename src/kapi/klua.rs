// SPDX-License-Identifier: GPL-2.0-only

//! `klua_*` as C calls it (src/kapi/klua.c). Contexts as src/klua.h says.

use crate::error::Result;
use crate::klua;
use core::ffi::{c_char, c_int, CStr};

fn to_int(result: Result) -> c_int {
    match result {
        Ok(()) => 0,
        Err(error) => -error.errno(),
    }
}

#[no_mangle]
unsafe extern "C" fn lunatik_klua_create(name: *const c_char) -> c_int {
    // SAFETY: The C side checked for NULL; the caller's string is terminated.
    to_int(klua::create(unsafe { CStr::from_ptr(name.cast()) }))
}

#[no_mangle]
unsafe extern "C" fn lunatik_klua_delete(name: *const c_char) -> c_int {
    // SAFETY: As above.
    to_int(klua::delete(unsafe { CStr::from_ptr(name.cast()) }))
}

#[no_mangle]
extern "C" fn lunatik_klua_list() {
    klua::list();
}

#[no_mangle]
unsafe extern "C" fn lunatik_klua_execute(name: *const c_char, code: *const c_char) -> c_int {
    // SAFETY: As above.
    let (name, code) = unsafe { (CStr::from_ptr(name.cast()), CStr::from_ptr(code.cast())) };
    to_int(klua::execute(name, code))
}
