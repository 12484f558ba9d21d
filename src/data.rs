// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/kernel/lunatik/NAME/data`: one write is one message to the state, one read is one from it.
//!
//! A write returns when the state's `receive_callback` has returned or first waits. A read at offset 0 takes the
//! next message; behind it the file ends, until it is rewound. Process context.

use crate::error::{Error, Result};
use crate::kapi::files::copy_out;
use crate::kapi::wait::Poll;
use crate::messages::DATA_MAX;
use crate::state::{State, Wait};
use kernel::iov::{IovIterDest, IovIterSource};

/// write(2): [`Error::Invalid`] for an empty message, [`Error::MessageSize`], [`Error::Fault`], and what
/// [`State::message`] and its callback give.
pub fn write(state: &State, from: &mut IovIterSource<'_>, nonblock: bool) -> Result<usize> {
    let len = from.len();
    if len > DATA_MAX {
        return Err(Error::MessageSize);
    }
    let message = state.vm().new_message(len, None, |bytes| match bytes.refill(from, len)? {
        got if got == len => Ok(()),
        _ => Err(Error::Fault),
    })?;
    let wait = if nonblock { Wait::No } else { Wait::Killable };
    state.message(message, wait)?.result.map(|()| len)
}

/// read(2): the next message at offset 0, nothing elsewhere, and nothing more once the state is gone.
/// [`Error::MessageSize`] for a buffer that is too small: the message stays.
pub fn read(state: &State, to: &mut IovIterDest<'_>, pos: &mut i64, nonblock: bool) -> Result<usize> {
    if *pos != 0 || to.is_empty() {
        return Ok(0);
    }
    let taken = state.vm().outbox().take(to.len(), nonblock, |message| {
        let copied = copy_out(to, pos, message)?;
        if copied == message.len() { Ok(copied) } else { Err(Error::Fault) }
    });
    let taken = taken.inspect_err(|_| *pos = 0)?;
    if taken.is_some() {
        state.call_senders();
    }
    Ok(taken.unwrap_or(0))
}

/// poll(2): whether a message waits, and whether the state is gone.
pub fn poll(state: &State, poll: &Poll) -> (bool, bool) {
    state.vm().outbox().poll(poll)
}
