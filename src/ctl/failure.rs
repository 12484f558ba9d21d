// SPDX-License-Identifier: GPL-2.0-only

//! What the kernel log says of a request that failed, in the words that programs for NFLua look for.
//!
//! Written before the request returns, behind the message of a script's error: nothing follows it. Not
//! throttled, for the writer waits. Process context, without locks that others need.

use super::grammar::Request;
use crate::error::Error;
use crate::kapi::params;
use crate::name::StateName;
use kernel::prelude::*;

/// Logs that a request failed; only those to make, end and run states are logged.
pub fn log(request: &Request<'_>, error: Error) {
    match request {
        Request::Create { name, maxalloc, .. } => log_create(name, *maxalloc, error),
        Request::Destroy { .. } => pr_err!("could not destroy lua state\n"),
        Request::Execute { name, .. } | Request::Run { name, .. } | Request::Message { name, .. } => match error {
            Error::NotFound => log_not_found(),
            // It was not begun, and may be offered again at once.
            Error::WouldBlock | Error::Full => {}
            _ => pr_err!("{}: could not execute / load data!\n", name.as_str()),
        },
        _ => {}
    }
}

/// Logs what did not become a request, where it would have been a `run` or `message`.
pub fn log_refused(error: Error) {
    // The grammar looks for the states of these two alone.
    if error == Error::NotFound {
        log_not_found();
    }
}

/// Logs that there is no state to run a script or to take a message.
fn log_not_found() {
    pr_err!("lua state not found\n");
    pr_err!("could not execute / load data!\n");
}

fn log_create(name: &StateName, maxalloc: Option<u64>, error: Error) {
    match error {
        Error::Exists => pr_err!("state already exists: {}\n", name.as_str()),
        Error::TooMany => {
            pr_err!("could not allocate id for state {}\n", name.as_str());
            pr_err!("max states limit reached or out of memory\n");
        }
        Error::NoMemory => pr_err!("max states limit reached or out of memory\n"),
        Error::Invalid => {
            let limit = maxalloc.unwrap_or(params::defaultmaxalloc() as u64);
            pr_err!("maxalloc {limit} should be greater then MIN_ALLOC {}\n", params::minalloc());
        }
        _ => {}
    }
    pr_err!("could not create new lua state\n");
}
