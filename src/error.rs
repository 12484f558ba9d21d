// SPDX-License-Identifier: GPL-2.0-only

//! What can go wrong with a request, as the errno that write(2) gives and the words a reader gets.
//!
//! Pure: any context, no locks. Errors of a *script* (its message and traceback) are text and live
//! in [`crate::state`]; here is only their kind.

/// Why a request was refused or a script ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// A malformed request, name, number or size.
    Invalid,
    /// A state name of more than 63 bytes.
    NameTooLong,
    /// A state of that name exists.
    Exists,
    /// There is no such state (or it is being destroyed).
    NotFound,
    /// `maxstates` states exist.
    TooMany,
    /// Memory ran out, the kernel's or the state's own limit.
    NoMemory,
    /// The chunk does not compile.
    Syntax,
    /// The chunk raised an error.
    Raised,
    /// A signal or `cancel` ended the script.
    Interrupted,
    /// A script is running and the caller does not want to wait.
    WouldBlock,
    /// What was asked for is in use.
    Busy,
    /// A script longer than the module parameter `scriptmax`.
    TooBig,
    /// A message longer than `datamaxsize`, or a buffer shorter than the message.
    MessageSize,
    /// A queue of messages has no room, and the caller does not want to wait.
    Full,
    /// No message is there, and the caller does not want to wait.
    Empty,
    /// Another open file owns the port.
    PortTaken,
    /// No open file owns the port.
    NoPort,
    /// A signal ended a wait that can be begun anew without harm.
    Restart,
    /// The caller lacks CAP_SYS_ADMIN, or calls from a context where this is not allowed.
    NotPermitted,
    /// A user-space address could not be read or written.
    Fault,
    /// The module is going away.
    Gone,
}

impl Error {
    /// The positive errno of this error (the x86-64 and asm-generic numbers agree).
    pub const fn errno(self) -> i32 {
        match self {
            Error::NotPermitted => 1,
            Error::NotFound => 2,
            Error::Interrupted => 4,
            Error::Syntax => 8,
            Error::WouldBlock | Error::Full | Error::Empty => 11,
            Error::NoMemory => 12,
            Error::Fault => 14,
            Error::Busy => 16,
            Error::Exists => 17,
            Error::Gone => 19,
            Error::Invalid | Error::Raised => 22,
            Error::TooBig => 27,
            Error::TooMany => 28,
            Error::NameTooLong => 36,
            Error::MessageSize => 90,
            Error::PortTaken => 98,
            Error::NoPort => 111,
            // The kernel's own: it calls anew, or makes it EINTR, as the signal's handler wishes.
            Error::Restart => 512,
        }
    }

    /// The words that stand for this error where a reply is read.
    pub const fn text(self) -> &'static str {
        match self {
            Error::Invalid => "malformed request",
            Error::NameTooLong => "state name too long (63 bytes at most)",
            Error::Exists => "state already exists",
            Error::NotFound => "no such state",
            Error::TooMany => "max states limit reached",
            Error::NoMemory => "not enough memory",
            Error::Syntax => "the chunk does not compile",
            Error::Raised => "the chunk raised an error",
            Error::Interrupted | Error::Restart => "interrupted",
            Error::WouldBlock => "a script is running in this state",
            Error::Busy => "in use",
            Error::TooBig => "script too long",
            Error::MessageSize => "message too long",
            Error::Full => "queue full",
            Error::Empty => "no message",
            Error::PortTaken => "port in use",
            Error::NoPort => "nobody has the port",
            Error::NotPermitted => "operation not permitted",
            Error::Fault => "bad address",
            Error::Gone => "the module is going away",
        }
    }
}

/// The result of everything that can fail for one of the reasons above.
pub type Result<T = ()> = core::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::Error;

    /// The numbers are a user-visible interface; they must be those of the C library.
    #[test]
    fn errno_numbers() {
        for (error, number) in [
            (Error::NotFound, 2),
            (Error::Interrupted, 4),
            (Error::Syntax, 8),
            (Error::WouldBlock, 11),
            (Error::NoMemory, 12),
            (Error::Busy, 16),
            (Error::Exists, 17),
            (Error::Raised, 22),
            (Error::TooBig, 27),
            (Error::TooMany, 28),
            (Error::NameTooLong, 36),
            (Error::MessageSize, 90),
            (Error::Full, 11),
            (Error::Empty, 11),
            (Error::PortTaken, 98),
            (Error::NoPort, 111),
        ] {
            assert_eq!(error.errno(), number, "{error:?}");
        }
    }
}
