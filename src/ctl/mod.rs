// SPDX-License-Identifier: GPL-2.0-only

//! `/proc/lunatik/ctl`: every open file is a session that takes requests and gives replies.
//!
//! Lines are done in order. At the first that fails, write(2) returns what it consumed before it, or
//! the error if that was nothing; until the reply is read or the file is rewound, every further write
//! returns that error and does nothing, for a buffered writer offers the same bytes again and must not
//! run a script twice. Process context; a session's calls come one after another.

mod failure;
pub mod grammar;
mod owned;

use crate::error::{Error, Result};
use crate::kapi::buffer::Bytes;
use crate::kapi::files::copy_out;
use crate::kapi::params;
use crate::kapi::sync::{Guarded, TurnClass};
use crate::kapi::wait::Poll;
use crate::mailbox::Mailbox;
use crate::registry::registry;
use crate::state::{ChunkName, Origin, Wait};
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use grammar::{Assembler, Buffer, Fed, Request};
use kernel::alloc::flags::GFP_KERNEL_ACCOUNT;
use kernel::iov::{IovIterDest, IovIterSource};
use kernel::prelude::*;
use kernel::sync::Arc;
use owned::Owned;

/// Bytes copied from the writer at a time.
const PIECE: usize = 4096;

/// An open ctl file.
#[pin_data]
pub struct Session {
    #[pin]
    work: Guarded<Work>,
    /// What came to this session's port; poll(2) waits here.
    mailbox: Arc<Mailbox>,
    has_reply: AtomicBool,
}

struct Work {
    requests: Assembler<Bytes>,
    /// The reply to the last request; `None` before the first: then a reader gets the list.
    reply: Option<Bytes>,
    /// It waits to be read.
    unread: bool,
    /// The error of the last request, until its reply is read or the file is rewound.
    failed: Option<Error>,
    piece: Bytes,
    owned: Owned,
}

impl Session {
    /// A new session.
    pub fn open() -> Result<Pin<KBox<Self>>> {
        let mailbox = Arc::pin_init(Mailbox::new(), GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)?;
        let work = Work {
            requests: Assembler::new(Bytes::new(), Bytes::new(), params::scriptmax()),
            reply: None,
            unread: false,
            failed: None,
            piece: Bytes::new(),
            owned: Owned::new(mailbox.clone()),
        };
        let has_reply = AtomicBool::new(false);
        let session = pin_init!(Self { work <- Guarded::new(TurnClass::File, work), mailbox, has_reply });
        KBox::pin_init(session, GFP_KERNEL_ACCOUNT).map_err(|_| Error::NoMemory)
    }

    /// write(2): see the head of this file.
    pub fn write(&self, from: &mut IovIterSource<'_>, nonblock: bool) -> Result<usize> {
        let wait = if nonblock { Wait::No } else { Wait::Killable };
        self.work.with_killable(|work| {
            if let Some(error) = work.failed {
                return Err(error);
            }
            // Taken out for the borrows' sake; a session has one writer at a time.
            let mut piece = core::mem::replace(&mut work.piece, Bytes::new());
            let result = write_pieces(work, from, &mut piece, wait);
            work.piece = piece;
            self.has_reply.store(work.unread, Ordering::Release);
            self.mailbox.wake();
            result
        })?
    }

    /// read(2): the reply to the last request; the list if there was none.
    pub fn read(&self, to: &mut IovIterDest<'_>, pos: &mut i64) -> Result<usize> {
        self.work.with_killable(|work| {
            if work.reply.is_none() {
                work.reply = Some(registry()?.list()?);
            }
            work.failed = None;
            work.unread = false;
            self.has_reply.store(false, Ordering::Release);
            match &work.reply {
                Some(reply) => copy_out(to, pos, reply.bytes()),
                None => Ok(0),
            }
        })?
    }

    /// lseek(2) to 0.
    pub fn rewind(&self) {
        // A killed task need not know.
        let _ = self.work.with_killable(|work| work.failed = None);
    }

    /// The last close: a line without newline is a request too. A dying task's is dropped.
    pub fn flush(&self, dying: bool) -> Result {
        self.work.with(|work| {
            if dying || work.failed.is_some() {
                work.requests.reset();
                return Ok(());
            }
            match work.requests.finish(exists) {
                Ok(Fed::Request(_, request)) => {
                    // Nobody could read what is received.
                    let wait = if request == Request::Receive { Wait::No } else { Wait::Killable };
                    let (result, reply) = carry_out(&mut work.owned, &request, wait);
                    work.requests.done();
                    work.reply = Some(reply);
                    result
                }
                Ok(_) => Ok(()),
                Err(error) => {
                    failure::log_refused(error);
                    Err(error)
                }
            }
        })
    }

    /// True while a reply waits to be read, or a message at the port; poll(2) waits for it.
    pub fn is_readable(&self, poll: &Poll) -> bool {
        let (has_message, _) = self.mailbox.poll(poll);
        has_message || self.has_reply.load(Ordering::Acquire)
    }
}

fn write_pieces(work: &mut Work, from: &mut IovIterSource<'_>, piece: &mut Bytes, wait: Wait) -> Result<usize> {
    // Bytes of this write that belong to requests carried out, or to one that is midway.
    let mut consumed = 0_usize;
    // Bytes of this write before the request that is midway.
    let mut settled = 0_usize;
    while !from.is_empty() {
        let got = match piece.refill(from, PIECE) {
            Ok(0) if consumed == 0 => return Err(Error::Fault),
            Ok(0) => return Ok(consumed),
            Ok(got) => got,
            Err(error) if consumed == 0 => return Err(error),
            Err(_) => return Ok(consumed),
        };
        let mut input = piece.bytes().get(..got).unwrap_or(&[]);
        while !input.is_empty() {
            let (taken, result) = match work.requests.feed(input, exists) {
                Ok(Fed::More) => (input.len(), Ok(false)),
                Ok(Fed::Nothing(taken)) => (taken, Ok(false)),
                Ok(Fed::Request(taken, request)) => {
                    let (result, reply) = carry_out(&mut work.owned, &request, wait);
                    // A `receive` that got nothing did nothing, and may be offered again at once.
                    if matches!(request, Request::Receive) && matches!(result, Err(Error::Empty | Error::Restart)) {
                        work.requests.reset();
                        work.reply = Some(Bytes::new());
                        work.unread = false;
                        return if settled > 0 { Ok(settled) } else { result.map(|()| 0) };
                    }
                    work.reply = Some(reply);
                    work.unread = true;
                    (taken, result.map(|()| true))
                }
                Err(error) => {
                    failure::log_refused(error);
                    work.reply = Some(reply_of(error));
                    work.unread = true;
                    (0, Err(error))
                }
            };
            match result {
                Err(error) => {
                    work.requests.reset();
                    work.failed = Some(error);
                    return if settled > 0 { Ok(settled) } else { Err(error) };
                }
                Ok(done) => {
                    consumed += taken;
                    if done {
                        work.requests.done();
                    }
                    if !work.requests.is_midway() {
                        settled = consumed;
                    }
                }
            }
            input = input.get(taken..).unwrap_or(&[]);
        }
    }
    Ok(consumed)
}

fn exists(name: &crate::name::StateName) -> bool {
    registry().and_then(|registry| registry.get(name)).is_ok()
}

/// The reply to a request that failed before any script could say why.
fn reply_of(error: Error) -> Bytes {
    let mut reply = Bytes::copy_of(error.text().as_bytes()).unwrap_or(Bytes::new());
    let _ = reply.append(b"\n");
    reply
}

/// Does what a request asks for: the outcome, and the reply.
fn carry_out(owned: &mut Owned, request: &Request<'_>, wait: Wait) -> (Result, Bytes) {
    let (result, reply) = match try_carry_out(owned, request, wait) {
        Ok((result, reply)) => (result, reply),
        Err(error) => (Err(error), reply_of(error)),
    };
    if let Err(error) = result {
        failure::log(request, error);
    }
    (result, reply)
}

fn try_carry_out(owned: &mut Owned, request: &Request<'_>, wait: Wait) -> Result<(Result, Bytes)> {
    let registry = registry()?;
    let nothing = || Ok((Ok(()), Bytes::new()));
    match request {
        Request::Create { name, maxalloc, marked: false, percpu } => {
            registry.create(name, *maxalloc, 0, *percpu)?;
            nothing()
        }
        Request::Create { name, maxalloc, marked: true, percpu } => {
            owned.mark_new(|session| registry.create(name, *maxalloc, session, *percpu))?;
            nothing()
        }
        Request::Mark { name } => {
            owned.mark(registry.get(name)?)?;
            nothing()
        }
        Request::Unmark { name } => {
            owned.unmark(&*registry.get(name)?)?;
            nothing()
        }
        Request::Destroy { name } => {
            registry.destroy(name)?;
            nothing()
        }
        Request::Cancel { name } => {
            registry.get(name)?.cancel();
            nothing()
        }
        Request::List => Ok((Ok(()), registry.list()?)),
        Request::Bind { port } => {
            let mut reply = Bytes::new();
            writeln!(reply, "{}", owned.bind(*port)?).map_err(|_| Error::NoMemory)?;
            Ok((Ok(()), reply))
        }
        Request::Receive => Ok((Ok(()), owned.receive(wait == Wait::No)?)),
        Request::Message { name, bytes } => {
            let state = registry.get(name)?;
            let message = state.vm().new_message(bytes.len(), owned.port(), |to| to.append(bytes))?;
            // The request stays failed until its reply is read: it is not begun anew.
            let restart = |error| if error == Error::Restart { Error::Interrupted } else { error };
            let outcome = state.message(message, wait).map_err(restart)?;
            Ok((outcome.result, outcome.text))
        }
        Request::Execute { name, chunk } => {
            let chunk_name = ChunkName::of_file(name, "execute");
            let outcome = registry.get(name)?.run(chunk, &chunk_name, Origin::Request, wait)?;
            Ok((outcome.result, outcome.text))
        }
        Request::Run { name, chunk, script } => {
            let chunk_name = match script {
                [] => ChunkName::of_file(name, "run"),
                given => ChunkName::given(given),
            };
            let outcome = registry.get(name)?.run(chunk, &chunk_name, Origin::Request, wait)?;
            Ok((outcome.result, outcome.text))
        }
    }
}
