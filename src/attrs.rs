// SPDX-License-Identifier: GPL-2.0-only

//! The small files of a state's directory: `maxalloc`, `curralloc`, `stats`. Process context.

use crate::ctl::grammar::parse_size;
use crate::error::{Error, Result};
use crate::state::State;
use core::ffi::c_int;
use core::fmt::Write;

// As src/kapi/files.c numbers them.
const MAXALLOC: c_int = 0;
const CURRALLOC: c_int = 1;
const STATS: c_int = 2;

/// Writes what a reader of the file gets.
pub fn show(state: &State, which: c_int, to: &mut dyn Write) -> Result {
    let (limit, used) = state.memory();
    let shown = match which {
        MAXALLOC => writeln!(to, "{limit}"),
        CURRALLOC => writeln!(to, "{used}"),
        STATS => state.write_stats(to),
        _ => return Err(Error::Invalid),
    };
    shown.map_err(|_| Error::MessageSize)
}

/// Takes what a writer of the file gives: a new limit in bytes, or with K, M or G.
pub fn store(state: &State, which: c_int, text: &[u8]) -> Result {
    if which != MAXALLOC {
        return Err(Error::Invalid);
    }
    let limit = parse_size(text.trim_ascii())?;
    state.set_maxalloc(usize::try_from(limit).map_err(|_| Error::Invalid)?)
}
