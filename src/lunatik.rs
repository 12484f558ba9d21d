// SPDX-License-Identifier: GPL-2.0-only

//! lunatik: Lua 5.3 inside the kernel, driven through files.
//!
//! The root of the crate: the order in which things come up and go down. Process context.
//!
//! Up: workqueue, stacks, the [`world::World`], network namespaces, files. Down: the other way round, when no file is open
//! any more (each holds a reference to the module): the states are ended, their directories let go of
//! them, the workqueue runs dry, the rest is freed.

#![deny(unsafe_code)]
// The same files are a library for `cargo test`, whose items have to be public.
#![allow(unreachable_pub)]

/// What `pr_info!` and the like begin each line with.
const __LOG_PREFIX: &[u8] = b"lunatik\0";

use kernel::prelude::*;

#[allow(unsafe_code)]
pub mod alloc;
mod attrs;
mod code;
mod context;
mod ctl;
mod data;
mod error;
mod exec;
#[allow(unsafe_code)]
mod kapi;
mod klua;
mod libs;
mod log;
#[allow(unsafe_code)]
mod lua;
mod mailbox;
mod messages;
mod name;
mod ports;
mod registry;
mod ring;
mod softfloat;
mod state;
mod table;
mod world;

#[allow(unsafe_code)]
mod module {
    use super::*;

    module! {
        type: Lunatik,
        name: "lunatik",
        authors: ["The lunatik authors"],
        description: "Lua 5.3 in the kernel, driven through files",
        license: "GPL",
    }

    struct Lunatik;

    impl kernel::Module for Lunatik {
        fn init(_module: &'static ThisModule) -> Result<Self> {
            super::up().map_err(|error| Error::from_errno(-error.errno()))?;
            Ok(Lunatik)
        }
    }

    impl Drop for Lunatik {
        fn drop(&mut self) {
            super::down();
            // SAFETY: No file, no job, no state is left that could reach the world.
            drop(unsafe { crate::world::WORLD.take() });
        }
    }
}

/// Brings everything up; what came up goes down again when something fails.
fn up() -> error::Result {
    use kapi::{defer, files, netns, params, stack};
    params::init();
    defer::init()?;
    stack::init().inspect_err(|_| defer::exit())?;
    let made = world::World::new().and_then(|world| {
        KBox::pin_init(world, kernel::alloc::flags::GFP_KERNEL).map_err(|_| error::Error::NoMemory)
    });
    let world = made.inspect_err(|_| {
        stack::exit();
        defer::exit();
    })?;
    world::WORLD.set(world);
    netns::init().and_then(|()| files::init().inspect_err(|_| netns::exit())).inspect_err(|_| {
        stack::exit();
        defer::exit();
    })
}

/// Takes everything down but the world itself.
fn down() {
    use kapi::{defer, files, netns, stack};
    if let Some(world) = world::WORLD.get() {
        world.registry.destroy_all();
    }
    files::exit();
    netns::exit();
    defer::exit();
    stack::exit();
}
