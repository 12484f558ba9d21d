// SPDX-License-Identifier: GPL-2.0-only

//! Contexts: states that states make (src/lua/spawn.c). One is named PARENT.HANDLE, its limit is taken out of its
//! creator's, and it ends when nothing is pending in it.
//!
//! When a context ends its limit goes back to its creator or, if that is gone, to the nearest of its creators that lives.
//! Process context.

use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::events::{Handle, Letter};
use crate::kapi::params;
use crate::name::StateName;
use crate::registry::registry;
use crate::state::State;
use core::fmt::Write;
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::sync::Arc;

use crate::ctl::grammar::Buffer;

/// Who makes a state.
pub enum Origin<'a> {
    /// A task; the state gets the task's network namespace.
    Task {
        /// With an interpreter for each processor, each of that limit.
        percpu: bool,
    },
    /// Another state, out of whose limit its own is taken.
    State {
        /// That one.
        state: &'a Arc<State>,
        /// The new one's handle.
        handle: Handle,
    },
}

/// A creator by its handle, and those before it. The chain is as long as its names allow: thirty or so.
pub struct Creator {
    handle: Handle,
    up: Option<Arc<Creator>>,
}

impl Creator {
    /// For what `state` makes. [`Error::NoMemory`].
    pub fn new(state: &Arc<State>) -> Result<Arc<Self>> {
        let up = state.creator().cloned();
        Arc::new(Self { handle: state.handle(), up }, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)
    }

    /// Its handle.
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Who made it, if a state did.
    pub fn up(&self) -> Option<&Arc<Creator>> {
        self.up.as_ref()
    }
}

/// The limit of a context for which none was set: `defaultmaxalloc`, or half of what its creator has left, if that is less.
fn default_limit(creator: &State) -> Result<usize> {
    let (limit, used, _) = creator.vm().memory();
    let limit = params::defaultmaxalloc().min(limit.saturating_sub(used) / 2);
    if limit < params::minalloc() { Err(Error::NoMemory) } else { Ok(limit) }
}

/// Makes a context that begins with `letter`. `limit` in bytes, 0 for the default.
///
/// Errors: [`Error::Gone`] (the creator ends), [`Error::NotPermitted`] (it has several interpreters), [`Error::Invalid`] below `minalloc`, [`Error::NameTooLong`],
/// [`Error::TooMany`], [`Error::NoMemory`], [`Error::Busy`] (the creator uses that much itself).
pub fn create(creator: &Arc<State>, limit: usize, letter: Letter) -> Result<Handle> {
    if !creator.is_alive() {
        return Err(Error::Gone);
    }
    // There the limit is that of each interpreter.
    if creator.interpreters().nth(1).is_some() {
        return Err(Error::NotPermitted);
    }
    let limit = if limit == 0 { default_limit(creator)? } else { limit };
    if limit < params::minalloc() {
        return Err(Error::Invalid);
    }
    let handle = Handle::new();
    let mut name = Bytes::new();
    write!(name, "{}.{}", creator.name().as_str(), handle.number()).map_err(|_| Error::NoMemory)?;
    let name = StateName::new(name.bytes())?;
    let state = registry()?.create_by(&name, limit, Origin::State { state: creator, handle }, 0)?;
    // It is found: what it begins with may make contexts itself.
    state.begin(letter);
    Ok(handle)
}
