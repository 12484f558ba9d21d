// SPDX-License-Identifier: GPL-2.0-only

//! Names of states and of scripts, checked once where they enter.
//!
//! Pure: any context, no locks. A name is held by value, so that it can be compared and copied
//! under a spinlock.

use crate::error::{Error, Result};

/// The longest state name, in bytes (`statenamemax`).
pub const STATE_NAME_MAX: usize = 63;
/// The longest script name, in bytes (`scriptnamemax`).
pub const SCRIPT_NAME_MAX: usize = 255;

/// The name of a state: 1 to 63 of `A-Za-z0-9_.-`, not `.` or `..`.
///
/// # Invariants
///
/// `len` is 1 to 63, the first `len` bytes are from that set, the rest are zero: the bytes are a
/// C string as they stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateName {
    bytes: [u8; STATE_NAME_MAX + 1],
    len: u8,
}

impl StateName {
    /// Checks `name`.
    ///
    /// Errors: [`Error::NameTooLong`] over 63 bytes; [`Error::Invalid`] when empty, `.`, `..` or
    /// with any other byte in it.
    pub fn new(name: &[u8]) -> Result<Self> {
        if name.len() > STATE_NAME_MAX {
            return Err(Error::NameTooLong);
        }
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if name.is_empty() || name == b"." || name == b".." || !name.iter().all(allowed) {
            return Err(Error::Invalid);
        }
        let mut bytes = [0; STATE_NAME_MAX + 1];
        if let Some(to) = bytes.get_mut(..name.len()) {
            to.copy_from_slice(name);
        }
        // INVARIANT: checked above; `bytes` was zero past the name.
        Ok(Self { bytes, len: name.len() as u8 })
    }

    /// The name without its terminator.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The name as text; it is ASCII by its invariant.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// The name with its terminating zero, 64 bytes in all.
    pub fn as_c_bytes(&self) -> &[u8; STATE_NAME_MAX + 1] {
        &self.bytes
    }
}

impl core::fmt::Display for StateName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::fmt::Debug for StateName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for name in ["a", "fw", "A-Z_0.9", "...", &"x".repeat(63)] {
            let checked = StateName::new(name.as_bytes()).unwrap();
            assert_eq!(checked.as_str(), name);
            assert_eq!(checked.as_c_bytes()[name.len()], 0);
        }
    }

    #[test]
    fn refused() {
        for name in ["", ".", "..", "a/b", "a b", "a\n", "é", "a\0"] {
            assert_eq!(StateName::new(name.as_bytes()), Err(Error::Invalid), "{name:?}");
        }
        assert_eq!(StateName::new("x".repeat(64).as_bytes()), Err(Error::NameTooLong));
    }
}
