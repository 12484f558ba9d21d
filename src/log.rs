// SPDX-License-Identifier: GPL-2.0-only

//! Lines for the kernel log: queued where they arise, written where the console may be waited for.
//!
//! Queueing: any context, under a state's lock. Writing ([`drain`], [`write_lines`]): process context,
//! one writer at a time, in the order of queueing. Lines that answer a writer's own request are
//! written before its request returns and are never throttled; those of hooks and timers are
//! throttled state by state ([`Throttle`]) and counted when dropped.

use crate::kapi::sync::{Class, Guarded, Locked, TurnClass};
use crate::kapi::{buffer::Bytes, defer};
use crate::ctl::grammar::Buffer;
use crate::error::Result;
use crate::name::StateName;
use crate::ring::Ring;
use crate::world::WORLD;

use kernel::prelude::*;

/// The longest piece of a line; longer lines become several. The kernel gives readers 2048 bytes of a
/// record, in which every byte that is not ASCII takes four.
const PIECE: usize = 400;
/// Bytes that a record takes besides its text.
const RECORD: usize = 66;
/// Bytes of the queue.
const QUEUE: usize = 64 * 1024;
/// Lines a second that a state may log from the background.
const LINES_PER_SECOND: u32 = 100;


/// On whose behalf a line is logged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The writer of a request, who waits for it.
    Writer,
    /// Nobody who waits.
    Background,
}

/// The queue and whose turn it is to write it out.
#[pin_data]
pub struct Log {
    #[pin]
    queue: Locked<Ring<Bytes>>,
    #[pin]
    piece: Guarded<Bytes>,
}

impl Log {
    /// An initialiser. Process context; [`crate::error::Error::NoMemory`].
    pub fn new() -> Result<impl PinInit<Self>> {
        let ring = Ring::new(Bytes::zeroed(QUEUE)?);
        let piece = Bytes::zeroed(PIECE)?;
        Ok(pin_init!(Self {
            queue <- Locked::new(Class::Queue, ring),
            piece <- Guarded::new(TurnClass::Log, piece),
        }))
    }
}

/// Bounds the background lines of one state.
#[derive(Default)]
pub struct Throttle {
    since: u64,
    lines: u32,
    dropped: u64,
}

impl Throttle {
    /// Queues a line at `now` (nanoseconds), unless there were too many; then it is counted, and the
    /// count logged before the next line that is not. Any context.
    pub fn log(&mut self, name: &StateName, line: &[u8], now: u64) {
        if now.saturating_sub(self.since) >= 1_000_000_000 {
            self.since = now;
            self.lines = 0;
        }
        if self.lines >= LINES_PER_SECOND {
            self.dropped += 1;
            return;
        }
        self.lines += 1;
        if self.dropped > 0 && queue_dropped(name, self.dropped) {
            self.dropped = 0;
        }
        if !queue(name, line, Source::Background) {
            self.dropped += 1;
        }
    }
}

/// Queues the line that tells of dropped ones; false when it is lost itself.
fn queue_dropped(name: &StateName, count: u64) -> bool {
    let mut text = [0; 40];
    let mut end = text.len();
    let mut put = |bytes: &[u8]| {
        for byte in bytes.iter().rev() {
            end = end.saturating_sub(1);
            if let Some(to) = text.get_mut(end) {
                *to = *byte;
            }
        }
    };
    put(b" lines dropped");
    let mut rest = count;
    loop {
        put(&[b'0' + (rest % 10) as u8]);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    queue(name, text.get(end..).unwrap_or(&[]), Source::Background)
}

/// Queues a text, each of its lines as one or more records; any context. All or nothing: false when the
/// queue has no room for it.
pub fn queue(name: &StateName, text: &[u8], source: Source) -> bool {
    let Some(world) = WORLD.get() else { return false };
    let queued = world.log.queue.with(|ring| {
        let need: usize = pieces(text).map(|piece| piece.len().saturating_add(RECORD)).sum();
        need <= ring.room() && pieces(text).all(|piece| ring.push(name.as_c_bytes(), piece))
    });
    if source == Source::Background || !queued {
        defer::kick_log();
    }
    queued
}

/// The lines of a text, long ones in pieces that do not cut a UTF-8 character.
fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|b| *b == b'\n').flat_map(|line| {
        let mut rest = Some(line);
        core::iter::from_fn(move || {
            let line = rest?;
            let mut end = PIECE.min(line.len());
            if end < line.len() {
                let continues = |at: usize| line.get(at).is_some_and(|b| b & 0xc0 == 0x80);
                let back = (0..4).find(|back| !continues(end - back)).unwrap_or(0);
                end -= back;
            }
            let (piece, left) = line.split_at_checked(end).unwrap_or((line, &[]));
            rest = (!left.is_empty()).then_some(left);
            Some(piece)
        })
    })
}

/// Writes out what is queued. Process context.
pub fn drain() {
    let Some(world) = WORLD.get() else { return };
    if world.log.queue.with(|ring| ring.is_empty()) {
        return;
    }
    world.log.piece.with(|piece| write_queue(world, piece));
}

/// Writes out what is queued and then the lines of `text`, as an error of the state. Process context.
pub fn write_lines(name: &StateName, text: &[u8]) {
    let Some(world) = WORLD.get() else { return };
    world.log.piece.with(|piece| {
        write_queue(world, piece);
        for part in pieces(text) {
            write(true, name.as_c_bytes(), part);
        }
    });
}

fn write_queue(world: &crate::world::World, piece: &mut Bytes) {
    loop {
        let popped = world.log.queue.with(|ring| ring.pop(piece.bytes_mut()));
        let Some((name, len)) = popped else { return };
        write(false, &name, piece.bytes().get(..len).unwrap_or(&[]));
    }
}

/// `name` is terminated.
fn write(error: bool, name: &[u8; 64], text: &[u8]) {
    crate::kapi::files::log_line(error, name, text);
}
