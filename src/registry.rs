// SPDX-License-Identifier: GPL-2.0-only

//! The states by name, in a hash table behind a spinlock; and how they come and go.
//!
//! A name is taken from before its directory is made until after it is gone, for sysfs refuses two of
//! a name with a stack dump; in between only states that are alive are found. Looking up: any context.
//! Making and ending: process context, may sleep.

use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::params;
use crate::kapi::sync::{Class, Locked};
use crate::name::StateName;
use crate::state::State;
use crate::table::{Named, Table};
use crate::world::WORLD;
use core::fmt::Write;
use kernel::alloc::flags::GFP_KERNEL;
use kernel::alloc::KVVec;
use kernel::prelude::*;
use kernel::sync::Arc;

struct Slots(KVVec<Option<Handle>>);

struct Handle(Arc<State>);

impl Named for Handle {
    fn name(&self) -> &StateName {
        self.0.name()
    }
}

impl AsRef<[Option<Handle>]> for Slots {
    fn as_ref(&self) -> &[Option<Handle>] {
        &self.0
    }
}

impl AsMut<[Option<Handle>]> for Slots {
    fn as_mut(&mut self) -> &mut [Option<Handle>] {
        &mut self.0
    }
}

/// The table.
#[pin_data]
pub struct Registry {
    #[pin]
    table: Locked<Table<Handle, Slots>>,
}

impl Registry {
    /// An initialiser for an empty table with room for `maxstates`.
    pub fn new() -> Result<impl PinInit<Self>> {
        let places = params::maxstates().clamp(1, 1 << 20).saturating_mul(2).saturating_add(2);
        let mut slots = KVVec::with_capacity(places, GFP_KERNEL).map_err(|_| Error::NoMemory)?;
        for _ in 0..places {
            slots.push(None, GFP_KERNEL).map_err(|_| Error::NoMemory)?;
        }
        let table = Table::new(Slots(slots));
        Ok(pin_init!(Self { table <- Locked::new(Class::Registry, table) }))
    }

    /// The state of that name, if it is alive. Any context.
    pub fn get(&self, name: &StateName) -> Result<Arc<State>> {
        self.table.with(|table| {
            table.get(name).filter(|handle| handle.0.is_alive()).map(|handle| handle.0.clone()).ok_or(Error::NotFound)
        })
    }

    /// Makes a state. `maxalloc` in bytes, the parameter `defaultmaxalloc` if `None`; marked by a session, if not 0;
    /// with an interpreter for each processor, each of that limit, if `percpu`.
    ///
    /// Errors: [`Error::Invalid`] below `minalloc`, [`Error::Exists`], [`Error::TooMany`],
    /// [`Error::NoMemory`].
    pub fn create(&self, name: &StateName, maxalloc: Option<u64>, session: u64, percpu: bool) -> Result<Arc<State>> {
        let limit = match maxalloc {
            Some(bytes) => usize::try_from(bytes).map_err(|_| Error::Invalid)?,
            None => params::defaultmaxalloc(),
        };
        if limit < params::minalloc() {
            return Err(Error::Invalid);
        }
        // Cheap refusals first; what counts is the insertion below.
        self.table.with(|table| may_add(table, name))?;
        let state = State::new(name, limit, percpu)?;
        state.mark(session);
        // The table drops its handle outside of the lock when it refuses.
        let refused = self.table.with(|table| match may_add(table, name) {
            Ok(()) => table.insert(Handle(state.clone())).err().map(|handle| (handle, Error::TooMany)),
            Err(error) => Some((Handle(state.clone()), error)),
        });
        if let Some((_handle, error)) = refused {
            state.close();
            return Err(error);
        }
        if let Err(error) = state.publish() {
            state.close();
            self.forget(name);
            return Err(error);
        }
        Ok(state)
    }

    /// Ends a state: cancels what runs in it and frees it. [`Error::NotFound`].
    pub fn destroy(&self, name: &StateName) -> Result {
        let state = self.get(name)?;
        if !state.condemn() {
            return Err(Error::NotFound);
        }
        state.end();
        self.forget(name);
        Ok(())
    }

    /// Ends all states; nobody makes new ones any more.
    pub fn destroy_all(&self) {
        while let Some(name) = self.table.with(|table| table.iter().next().map(|handle| *handle.0.name())) {
            if self.destroy(&name).is_err() {
                self.forget(&name);
            }
        }
    }

    /// Calls `f` with each living state, sorted by name.
    pub fn for_each(&self, mut f: impl FnMut(&Arc<State>) -> Result) -> Result {
        let mut states = KVVec::new();
        let mut wanted = self.table.with(|table| table.count());
        loop {
            // The memory is had outside of the lock; should states have come meanwhile, once more.
            KVVec::reserve(&mut states, wanted, GFP_KERNEL).map_err(|_| Error::NoMemory)?;
            let missed = self.table.with(|table| {
                table.iter().filter(|handle| handle.0.is_alive()).any(|handle| {
                    let place = states.partition_point(|before: &Arc<State>| before.name() < handle.0.name());
                    states.insert_within_capacity(place, handle.0.clone()).is_err()
                })
            });
            if !missed {
                break;
            }
            states.clear();
            wanted = wanted.saturating_mul(2).saturating_add(8);
        }
        states.iter().try_for_each(|state| f(state))
    }

    /// A line `NAME MAXALLOC CURRALLOC` for each state, sorted by name.
    pub fn list(&self) -> Result<Bytes> {
        let mut text = Bytes::new();
        self.for_each(|state| {
            let (limit, used) = state.memory();
            writeln!(text, "{} {} {}", state.name().as_str(), limit, used).map_err(|_| Error::NoMemory)
        })?;
        Ok(text)
    }

    fn forget(&self, name: &StateName) {
        // Dropped here, outside of the lock.
        let _handle = self.table.with(|table| table.remove(name));
    }
}

fn may_add(table: &Table<Handle, Slots>, name: &StateName) -> Result {
    if table.get(name).is_some() {
        return Err(Error::Exists);
    }
    if table.count() >= params::maxstates() {
        return Err(Error::TooMany);
    }
    Ok(())
}

/// The registry, wherever the code is.
pub fn registry() -> Result<&'static Registry> {
    WORLD.get().map(|world| &world.registry).ok_or(Error::Gone)
}
