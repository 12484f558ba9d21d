// SPDX-License-Identifier: GPL-2.0-only

//! What the module has once: the table of states, the pool of stacks, the log, the sum of limits.
//!
//! It is set before the first file appears and taken away after the last is closed.

use crate::error::{Error, Result};
use crate::kapi::global::Global;
use crate::kapi::stack::Pool;
use crate::kapi::params;
use crate::log::Log;
use crate::ports::Ports;
use crate::registry::Registry;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::prelude::*;

/// Side stacks of the executor at most: as many events as it handles at a time.
const EXECUTOR_STACKS: usize = 16;
/// Side stacks at most on which states are made. Scripts make states, too, and hold a stack of the others meanwhile.
const MAKING_STACKS: usize = 4;

/// The only [`World`].
pub static WORLD: Global<World> = Global::new();

/// See the head of this file.
#[pin_data]
pub struct World {
    /// The states by name.
    #[pin]
    pub registry: Registry,
    /// The side stacks of process context.
    #[pin]
    pub stacks: Pool,
    /// Those of the executor.
    #[pin]
    pub executor_stacks: Pool,
    /// Those on which states are made.
    #[pin]
    pub making_stacks: Pool,
    /// The log.
    #[pin]
    pub log: Log,
    /// Who owns which port.
    #[pin]
    pub ports: Ports,
    promised: AtomicUsize,
}

impl World {
    /// An initialiser. Process context.
    pub fn new() -> Result<impl PinInit<Self>> {
        let registry = Registry::new()?;
        let log = Log::new()?;
        Ok(pin_init!(Self {
            registry <- registry,
            stacks <- Pool::new(params::stackcap()),
            executor_stacks <- Pool::new(EXECUTOR_STACKS),
            making_stacks <- Pool::new(MAKING_STACKS),
            log <- log,
            ports <- Ports::new(),
            promised: AtomicUsize::new(0),
        }))
    }

    /// Lends so many bytes of `totalmax`, for [`World::give_back`]. [`Error::NoMemory`]. Any context.
    pub fn lend(&self, bytes: usize) -> Result {
        let grown = |sum: usize| sum.checked_add(bytes).filter(|sum| *sum <= params::totalmax());
        let order = Ordering::Relaxed;
        self.promised.fetch_update(order, order, grown).map(|_| ()).map_err(|_| Error::NoMemory)
    }

    /// What was lent.
    pub fn give_back(&self, bytes: usize) {
        self.promised.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A part of `totalmax` that belongs to a state; dropping it gives it back. Any context.
pub struct Promise(AtomicUsize);

impl Promise {
    /// One of no bytes.
    pub const fn none() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Takes so many bytes out of it, at most what it has. One caller at a time.
    pub fn split(&self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes());
        self.0.fetch_sub(bytes, Ordering::Relaxed);
        Self(AtomicUsize::new(bytes))
    }

    /// Adds another to it.
    pub fn join(&self, other: Self) {
        self.0.fetch_add(other.0.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes it at least so many bytes. One caller at a time.
    pub fn grow(&self, world: &World, bytes: usize) -> Result {
        let more = bytes.saturating_sub(self.bytes());
        world.lend(more)?;
        self.0.fetch_add(more, Ordering::Relaxed);
        Ok(())
    }

    /// Makes it at most so many bytes. One caller at a time.
    pub fn shrink(&self, world: &World, bytes: usize) {
        let less = self.bytes().saturating_sub(bytes);
        world.give_back(less);
        self.0.fetch_sub(less, Ordering::Relaxed);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(world) = WORLD.get() {
            self.shrink(world, 0);
        }
    }
}
