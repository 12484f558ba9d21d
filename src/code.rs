// SPDX-License-Identifier: GPL-2.0-only

//! `/sys/kernel/lunatik/NAME/code`: a script is one transaction.
//!
//! All that is written between open and the last close is one script. It runs at that close(2), whose
//! caller gets the error, or at fsync(2). An exiting task takes no signals, and neither exec nor
//! release is a place to run a script: there it goes to the workqueue. If the writer was killed,
//! nothing runs. Process context.

use crate::ctl::grammar::Buffer;
use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::defer::{Deferred, Job};
use crate::kapi::files::{copy_in, copy_out};
use crate::kapi::params;
use crate::kapi::sync::{Guarded, TurnClass};
use crate::state::{ChunkName, Origin, State, Wait};
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::iov::{IovIterDest, IovIterSource};
use kernel::prelude::*;
use kernel::sync::Arc;

/// Bytes copied from the writer at a time.
const PIECE: usize = 4096;

/// Where a script runs, if at all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Here and now; the caller gets the error.
    Here,
    /// In the background.
    Later,
    /// Nowhere: the writer was killed.
    Never,
}

/// An open `code` file.
#[pin_data]
pub struct Script {
    state: Arc<State>,
    #[pin]
    text: Guarded<Text>,
}

struct Text {
    bytes: Bytes,
    /// Something was written, if only nothing.
    written: bool,
    /// More was written than a script may have; it does not run.
    too_big: bool,
    /// The outcome of the last script of this descriptor.
    outcome: Option<Bytes>,
    /// For a commit in the background, which must not fail for lack of memory.
    spare: Option<(Job, KBox<Late>)>,
}

/// A script on its way to the workqueue.
struct Late {
    state: Option<Arc<State>>,
    text: Bytes,
}

impl Deferred for Late {
    fn run(mut self: KBox<Self>) {
        if let Some(state) = self.state.take() {
            // The error is in the log and in `code`.
            let _ = run(&state, self.text.bytes(), Wait::Killable);
        }
    }
}

/// Runs a `code` script and remembers its outcome.
fn run(state: &State, text: &[u8], wait: Wait) -> Result<(Result, Bytes)> {
    let name = ChunkName::of_file(state.name(), "code");
    let outcome = state.run(text, &name, Origin::Code, wait)?;
    state.remember(&name, outcome.result, outcome.text.bytes());
    Ok((outcome.result, outcome.text))
}

impl Script {
    /// Opens `code` of a state.
    pub fn open(state: Arc<State>) -> Result<Pin<KBox<Self>>> {
        let late = KBox::new(Late { state: None, text: Bytes::new() }, GFP_KERNEL_ACCOUNT);
        let spare = Some((Job::new()?, late.map_err(|_| Error::NoMemory)?));
        let text = Text { bytes: Bytes::new(), written: false, too_big: false, outcome: None, spare };
        KBox::pin_init(pin_init!(Self { state, text <- Guarded::new(TurnClass::File, text) }), GFP_KERNEL_ACCOUNT)
            .map_err(|_| Error::NoMemory)
    }

    /// Gathers a piece of the script. [`Error::TooBig`] past `scriptmax`: then nothing of it runs.
    pub fn write(&self, from: &mut IovIterSource<'_>) -> Result<usize> {
        self.text.with_killable(|text| {
            text.written = true;
            if text.bytes.bytes().len().saturating_add(from.len()) > params::scriptmax() {
                text.too_big = true;
                text.bytes.clear();
            }
            if text.too_big {
                return Err(Error::TooBig);
            }
            let mut total = 0;
            let mut piece = Bytes::zeroed(PIECE.min(from.len()))?;
            let piece = piece.bytes_mut();
            while !from.is_empty() {
                let got = match copy_in(from, piece) {
                    Ok(got) => got,
                    Err(error) if total == 0 => return Err(error),
                    Err(_) => break,
                };
                text.bytes.append(piece.get(..got).unwrap_or(&[]))?;
                total += got;
            }
            Ok(total)
        })?
    }

    /// Ends the script that was gathered, if any was.
    pub fn commit(&self, how: Commit, nonblock: bool) -> Result {
        if how == Commit::Never {
            return self.text.with(|text| {
                text.written = false;
                text.bytes.clear();
                Ok(())
            });
        }
        let gathered = self.text.with(|text| {
            if !core::mem::take(&mut text.written) {
                return None;
            }
            let too_big = core::mem::take(&mut text.too_big);
            Some((core::mem::replace(&mut text.bytes, Bytes::new()), too_big))
        });
        let Some((script, too_big)) = gathered else { return Ok(()) };
        if too_big {
            return Err(Error::TooBig);
        }
        if how == Commit::Later {
            if let Some((job, mut late)) = self.text.with(|text| text.spare.take()) {
                late.state = Some(self.state.clone());
                late.text = script;
                job.queue(late);
            }
            return Ok(());
        }
        let wait = if nonblock { Wait::No } else { Wait::Killable };
        let (result, outcome) = run(&self.state, script.bytes(), wait)?;
        self.text.with(|text| text.outcome = Some(outcome));
        result
    }

    /// The outcome of this descriptor's script, or else of the last one of the state.
    pub fn read(&self, to: &mut IovIterDest<'_>, pos: &mut i64) -> Result<usize> {
        self.text.with_killable(|text| match &text.outcome {
            Some(outcome) => copy_out(to, pos, outcome.bytes()),
            None => copy_out(to, pos, self.state.last_outcome()?.bytes()),
        })?
    }
}
