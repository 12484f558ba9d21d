// SPDX-License-Identifier: GPL-2.0-only

//! `klua_*`: states for other kernel modules (src/klua.h; exported by src/kapi/klua.c).

use crate::error::{Error, Result};
use crate::kapi::sync;
use crate::lua::vm::{Chunk, Staged};
use crate::name::StateName;
use crate::registry::registry;
use crate::state::ChunkName;
use core::ffi::CStr;
use kernel::prelude::*;

/// Makes a state with the default limit. Process context.
pub fn create(name: &CStr) -> Result {
    if !sync::may_sleep() {
        return Err(Error::NotPermitted);
    }
    registry()?.create(&StateName::new(name.to_bytes())?, None, 0, false).map(|_| ())
}

/// Ends a state; what runs in it is cancelled. Process context.
pub fn delete(name: &CStr) -> Result {
    if !sync::may_sleep() {
        return Err(Error::NotPermitted);
    }
    registry()?.destroy(&StateName::new(name.to_bytes())?)
}

/// A line for each state in the kernel log. Process context.
pub fn list() {
    let Ok(registry) = registry() else { return };
    let _ = registry.for_each(|state| {
        pr_info!("State name: {}\n", state.name().as_str());
        Ok(())
    });
}

/// Runs a chunk under the time budget of a hook; never waits. Process context or softirq.
pub fn execute(name: &CStr, code: &CStr) -> Result {
    if !sync::may_execute() {
        return Err(Error::NotPermitted);
    }
    let name = StateName::new(name.to_bytes())?;
    let state = registry()?.get(&name)?;
    let chunk_name = ChunkName::of_file(&name, "klua");
    state.vm().execute(&Chunk { text: code.to_bytes(), name: chunk_name.as_c_bytes(), staged: Staged::No })
}
