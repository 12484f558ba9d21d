// SPDX-License-Identifier: GPL-2.0-only

//! Ports: 32-bit numbers by which a script reaches an open ctl file.
//!
//! An open file owns one at most, from its `bind` until it is closed. Sending: any context, under a state's
//! lock; the lock order is the state's, the ports', a mailbox's. The rest: process context.

use crate::error::{Error, Result};
use crate::kapi::sync::{Class, Locked};
use crate::mailbox::Mailbox;
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::prelude::*;
use kernel::rbtree::{RBTree, RBTreeNodeReservation};
use kernel::sync::Arc;

/// The first of the numbers that are given to who asks for none.
const AUTOMATIC: u32 = 1 << 31;

struct Table {
    owners: RBTree<u32, Arc<Mailbox>>,
    next: u32,
}

/// Who owns which port.
#[pin_data]
pub struct Ports {
    #[pin]
    table: Locked<Table>,
}

impl Ports {
    /// An initialiser: nobody owns any.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self { table <- Locked::new(Class::Ports, Table { owners: RBTree::new(), next: 0 }) })
    }

    /// Makes `mailbox` the owner of a port, or of one that is free: its number.
    ///
    /// Errors: [`Error::PortTaken`], [`Error::NoMemory`].
    pub fn bind(&self, mailbox: &Arc<Mailbox>, wanted: Option<u32>) -> Result<u32> {
        mailbox.make()?;
        let place = RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        self.table.with(|table| {
            let number = match wanted {
                Some(number) if table.owners.get(&number).is_some() => return Err(Error::PortTaken),
                Some(number) => number,
                None => table.free_number(),
            };
            table.owners.insert(place.into_node(number, mailbox.clone()));
            Ok(number)
        })
    }

    /// Nobody owns it any more.
    pub fn release(&self, number: u32) {
        // The mailbox is dropped outside of the lock.
        let _owner = self.table.with(|table| table.owners.remove(&number));
    }

    /// Queues the concatenation of `parts` for the owner of a port. [`Error::NoPort`], [`Error::Full`],
    /// [`Error::NoMemory`]. Any context.
    pub fn send(&self, number: u32, parts: &[&[u8]]) -> Result {
        self.table.with(|table| table.owners.get(&number).ok_or(Error::NoPort)?.push(parts))
    }
}

impl Table {
    /// There are fewer open files than numbers.
    fn free_number(&mut self) -> u32 {
        loop {
            let number = AUTOMATIC | self.next;
            self.next = self.next.wrapping_add(1) & !AUTOMATIC;
            if self.owners.get(&number).is_none() {
                return number;
            }
        }
    }
}
